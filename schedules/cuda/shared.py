"""The shared memory of a block: the sums of the buffers that the steps of a chain allocate."""

from functools import lru_cache
from math import ceil

from schedules.cuda.chain import Chain, Tile, first_product, step
from schedules.cuda.extent import (
    columns_of,
    count_of,
    fetched,
    from_piece,
    groups_of,
    halo_of,
    image_of,
    matrix_shape,
    staged_places,
)
from schedules.cuda.fragments import COLUMNS, deep
from schedules.cuda.matrix_shape import CHUNK
from schedules.cuda.product import Product, largest_divisor
from schedules.cuda.shared_rows import odd, rows_bytes
from schedules.cuda.vectors import ACCESS_BYTES, SUM, bytes_of
from schedules.gpu import WARP


def shared_bytes(chain: Chain, tile: Tile) -> int:
    """Shared memory of a block."""
    if not chain.matrices:
        # By lanes it is the same for any number of threads, and windows a thread.
        tile = Tile(
            tile.rows, tile.columns, tile.parts, tile.pixels, tile.splits, WARP, tile.groups
        )
    return _shared_bytes(chain, tile)


@lru_cache(maxsize=2**15)  # the tiles of a chain are looked at several times
def _shared_bytes(chain: Chain, tile: Tile) -> int:
    halo, count, image, total = halo_of(chain, tile), tile.count, image_of(chain, tile), 0
    if image:
        total += image.source.channels * image.count * bytes_of(image.source.dtype)
        total += 0 if from_piece(chain, tile) else _rows(chain, first_product(chain), tile)
    if chain.expand and halo:
        total += halo.count * _row(columns_of(chain, chain.expand, tile))
    if chain.project:
        columns = columns_of(chain, chain.project, tile)
        total += _rows(chain, chain.project, tile) if chain.window else 0
        total += count * _kept(chain, tile, columns)
        total += count * _row(columns) if chain.narrow else 0
    if chain.follow:
        total += _rows(chain, chain.follow, tile)
        columns = columns_of(chain, chain.follow, tile)
        total += count * _staged(chain, tile, columns) if chain.staged else 0
    return total + sum(_own(chain, product, tile) for product in chain.products)


def _row(columns: int) -> int:
    """A pixel's row of so many vectors."""
    return odd(columns) * ACCESS_BYTES


def _rows(chain: Chain, product: Product, tile: Tile) -> int:
    """The data of a product that the block has made."""
    groups, count = groups_of(chain, product, tile), count_of(chain, product, tile)
    return rows_bytes(product, groups, count, tile.pixels)


def _kept(chain: Chain, tile: Tile, columns: int) -> int:
    """What a pixel's projection leaves to a later step that is no product."""
    if chain.staged and not chain.follow:
        return _staged(chain, tile, columns)
    return _row(columns) if chain.mean else 0


def _staged(chain: Chain, tile: Tile, columns: int) -> int:
    """What a pixel's results take on their way to a tensor in another order."""
    return _row(staged_places(chain, tile, columns) // chain.lanes)


def _own(chain: Chain, product: Product, tile: Tile) -> int:
    """What a product takes while it is computed: its staged data, and the sums that are added up,
    or handed from warps to threads."""
    columns = columns_of(chain, product, tile)
    if product.matrices:
        shape = matrix_shape(chain, product, tile)
        rows = shape.splits * shape.rounds * shape.pixels
        sums = rows * (columns + 1) * COLUMNS * bytes_of(SUM)
        return sums + (_chunk(chain, product, tile) if fetched(chain, product) else 0)
    access = step(chain) if product is first_product(chain) else chain.lanes
    splits = largest_divisor(product.inputs // access, tile.splits)
    pixels = min(tile.pixels, count_of(chain, product, tile))
    rows = ceil(count_of(chain, product, tile) / pixels) * pixels
    return splits * rows * columns * product.lanes * bytes_of(SUM) if splits > 1 else 0


def _chunk(chain: Chain, product: Product, tile: Tile) -> int:
    """A chunk of the data of a product on tensor cores."""
    values = deep(min(product.inputs, CHUNK)) * groups_of(chain, product, tile)
    rows = ceil(count_of(chain, product, tile) / tile.pixels) * tile.pixels
    return rows * (values + product.lanes) * bytes_of(product.dtype)
