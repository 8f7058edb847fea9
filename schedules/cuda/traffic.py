"""What a chain moves and computes: the counts on which its tile is chosen.

Device memory is counted once a tensor: what blocks read twice comes from the second-level cache.
"""

from functools import lru_cache
from math import ceil

from schedules.cuda import emit_chain
from schedules.cuda.chain import Chain, Tile, first_product, slices
from schedules.cuda.extent import (
    access_of,
    columns_of,
    count_of,
    from_piece,
    halo_of,
    image_of,
    patch_of,
    staged_places,
)
from schedules.cuda.first_convolution import runs_of
from schedules.cuda.patch import KERNEL, Halo
from schedules.cuda.product import Product
from schedules.cuda.product_work import WIDE_CYCLES, Work, fetching, product_work
from schedules.cuda.vectors import ACCESS_BYTES, bytes_of
from schedules.cuda.window import TAPS, Window, pixels_under
from schedules.gpu import WARP

# Cycles in which a warp stores single values that fill their sectors of memory in part; fitted as
# the constants of `tiles`.
SCATTER = 48
# In which a warp reads the weights of a tap for a few neighbours; fitted to the times of 104 first
# convolutions of ShuffleNet and MobileNet on an H200.
TAP_CYCLES = 3


@lru_cache(maxsize=4096)
def device_bytes(chain: Chain) -> int:
    """Bytes between the chip and device memory in one call: every tensor and constant once, also
    one that has two roles."""
    tensors = {**emit_chain.inputs(chain), **emit_chain.constants(chain)}
    read = [one for role, one in tensors.items() if role not in chain.aliases]
    return sum(one.bytes for one in (*read, *emit_chain.outputs(chain).values()))


def blocks(chain: Chain, tile: Tile) -> int:
    """Blocks of the grid."""
    return patch_of(chain, tile).tiles * slices(chain, tile) * tile.parts


def steps(chain: Chain, tile: Tile) -> list[Work]:
    """The steps of one block in order."""
    count, image, made = tile.count, image_of(chain, tile), []
    if image:
        values = image.source.channels * image.count
        rows = 0 if from_piece(chain, tile) else count_of(chain, first_product(chain), tile)
        patches = rows * chain.patch
        made.append(_pieces(values, patches, bytes_of(image.source.dtype), tile))
    if chain.expand and halo_of(chain, tile):
        made.append(_product(chain, chain.expand, tile))
    if chain.window:
        vectors = tile.groups * chain.windowed / chain.lanes / (1 if chain.project else tile.parts)
        made.append(_window(vectors, chain, chain.window, tile, chain.expand is None))
    if chain.project:
        columns = columns_of(chain, chain.project, tile)
        made.append(_product(chain, chain.project, tile))
        if chain.mean:
            made.append(_mean(count, columns * chain.lanes, tile))
    if chain.follow:
        columns = columns_of(chain, chain.follow, tile)
        made.append(_product(chain, chain.follow, tile))
    if chain.staged:
        made.append(_unload(count * staged_places(chain, tile, columns), chain, tile))
    elif chain.narrow:
        made.append(_unload(count * columns * chain.lanes, chain, tile))
    if chain.pooled and chain.pool:
        share = chain.pooled.channels / chain.lanes / slices(chain, tile) / tile.parts
        made.append(_window(share, chain, chain.pool, tile, True))
    return made


def _product(chain: Chain, product: Product, tile: Tile) -> Work:
    """A product, on what lies in shared memory or comes from another kernel."""
    image = image_of(chain, tile)
    if image and product is first_product(chain) and from_piece(chain, tile):
        return _windows_of(image, chain, product, tile)
    access = access_of(chain, product)
    work = product_work(chain, product, tile, access)
    return work if access.shared else fetching(chain, product, tile, work)


def _windows_of(image: Halo, chain: Chain, product: Product, tile: Tile) -> Work:
    """A first convolution from a piece of an image: of every row under a run, each value once, and
    the weights of three taps."""
    columns, planes = columns_of(chain, product, tile), image.source.channels
    runs = runs_of(image.inner.columns, tile.pixels)
    turns = ceil(image.inner.rows * runs.across * columns / tile.threads)
    warps = turns * tile.threads / WARP
    values, weights = pixels_under(runs.pixels, image.stride), KERNEL
    loads, cycles = values + weights, values + weights * TAP_CYCLES
    multiplied = planes * TAPS * runs.pixels * product.lanes
    rows, moved = warps * planes * KERNEL, ACCESS_BYTES * columns * product.inputs
    return Work(warps * multiplied + rows * loads, rows * cycles, moved, turns)


def _pieces(values: int, patches: int, each: int, tile: Tile) -> Work:
    """A piece of an image to shared memory, and there to rows: loads of a value each."""
    fetches, copies = ceil(values / tile.threads), ceil(patches / tile.threads)
    warps = tile.threads / WARP
    loads = warps * (fetches + 2 * copies)
    return Work(loads, loads, each * values, fetches)


def _mean(count: int, values: int, tile: Tile) -> Work:
    """The sums over all pixels of values that lie in shared memory."""
    loads = ceil(values / tile.threads) * tile.threads / WARP * count
    return Work(loads, loads, 0, 1)


def _unload(values: int, chain: Chain, tile: Tile) -> Work:
    """Results through shared memory: whole rows by vectors, runs by values."""
    each, cycles = (chain.lanes, 1) if slices(chain, tile) == 1 else (1, SCATTER)
    loads = ceil(values / each / tile.threads) * tile.threads / WARP
    return Work(loads, cycles * loads, 0, 0)


def _window(vectors: float, chain: Chain, window: Window, tile: Tile, reads: bool) -> Work:
    turns = ceil(tile.count / tile.run * vectors / tile.threads)
    warps = turns * tile.threads / WARP
    loads = KERNEL * pixels_under(tile.run, window.stride)
    loads += TAPS if window.kind == "depthwise" else 0
    fetch = ACCESS_BYTES * vectors * (tile.count * 2 if reads else 0)
    instructions = warps * (loads + TAPS * chain.lanes * tile.run)
    return Work(instructions, warps * loads * WIDE_CYCLES, fetch, turns + 1)
