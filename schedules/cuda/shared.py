"""Which pixels a block of a chain has, and the shared memory that they take.

The sums here are those of the buffers that the steps allocate.
"""

from functools import lru_cache

from schedules.cuda.block import LANES
from schedules.cuda.chain import FLOAT_BYTES, PATCH, Chain, Tile, slices, step
from schedules.cuda.patch import Halo, Line, Square
from schedules.cuda.product import Product, largest_divisor
from schedules.frame import Frame, Planes


def patch_of(chain: Chain, tile: Tile) -> Line | Square:
    """The pixels of a block: a square where a window reads what the block itself has made, or has
    brought from an image."""
    if chain.expand or isinstance(chain.source, Planes):
        return Square(chain.target, tile.rows, tile.columns)
    return Line(chain.target, tile.count)


def halo_of(chain: Chain, tile: Tile) -> Halo | None:
    """The pixels that the block computes for its window to read."""
    if not chain.expand or not chain.middle or not chain.window:
        return None
    return Halo(Square(chain.target, tile.rows, tile.columns), chain.middle, chain.window.stride)


def image_of(chain: Chain, tile: Tile) -> Halo | None:
    """The pixels of an image under the first convolution of a block."""
    if not isinstance(chain.source, Planes):
        return None
    images = chain.source
    frame = Frame(images.images, images.height, images.width, images.planes)
    inner = halo_of(chain, tile) or Square(chain.target, tile.rows, tile.columns)
    return Halo(inner, frame, chain.stride)


@lru_cache(maxsize=2**15)  # the tiles of a chain are looked at several times
def shared_bytes(chain: Chain, tile: Tile) -> int:
    """Shared memory of a block."""
    halo, count, image = halo_of(chain, tile), tile.count, image_of(chain, tile)
    total = 0
    if image:
        total += image.source.channels * image.count * FLOAT_BYTES
        total += (halo.count if halo else count) * row_bytes(PATCH)
    if chain.expand and halo:
        columns = expand_columns(chain, tile)
        total += halo.count * row_bytes(columns * LANES)
        total += parts_bytes(chain.expand, halo.count, columns, tile, step(chain))
    if chain.project:
        total += count * row_bytes(tile.groups * chain.windowed) if chain.window else 0
        columns = tile.groups * chain.project.vectors // tile.parts
        total += parts_bytes(chain.project, count, columns, tile, step(chain))
        total += count * kept_bytes(chain, tile, columns)
        total += count * row_bytes(columns * LANES) if chain.narrow else 0
    if chain.follow:
        columns = followed_columns(chain, tile)
        total += count * row_bytes(staged_places(chain, tile, columns)) if chain.staged else 0
        total += parts_bytes(chain.follow, count, columns, tile, LANES)
    return total


def expand_columns(chain: Chain, tile: Tile) -> int:
    """Vectors that the expansion of a block makes."""
    assert chain.expand is not None
    return chain.expand.groups // slices(chain, tile) * chain.expand.vectors


def followed_columns(chain: Chain, tile: Tile) -> int:
    """Vectors that the product after the projection makes in a block."""
    assert chain.follow is not None
    return chain.follow.groups // slices(chain, tile) * chain.follow.vectors


def result_places(chain: Chain, tile: Tile) -> int:
    """Values of a pixel's result that the product after the projection reads."""
    assert chain.follow is not None
    return chain.follow.groups // slices(chain, tile) * chain.follow.inputs


def staged_places(chain: Chain, tile: Tile, columns: int) -> int:
    """Values of a pixel on their way to a tensor in another order: all its places if the block has
    all groups, else the columns that it makes."""
    return chain.order.places if chain.order and slices(chain, tile) == 1 else columns * LANES


def kept_bytes(chain: Chain, tile: Tile, columns: int) -> int:
    """Shared memory for what a pixel's projection leaves to a later step."""
    if chain.follow:
        return row_bytes(result_places(chain, tile))
    if chain.staged:
        return row_bytes(staged_places(chain, tile, columns))
    return row_bytes(columns * LANES) if chain.mean else 0


def row_bytes(values: int) -> int:
    """A pixel's row in shared memory; four more values keep rows off each other's banks."""
    return (values + LANES) * FLOAT_BYTES


def parts_bytes(product: Product, count: int, columns: int, tile: Tile, access: int) -> int:
    """Shared memory in which the splits of a reduction are added up."""
    splits = largest_divisor(product.inputs // access, tile.splits)
    pixels = min(tile.pixels, count)
    rows = -(-count // pixels) * pixels
    return splits * rows * columns * LANES * FLOAT_BYTES if splits > 1 else 0
