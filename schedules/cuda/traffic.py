"""What a chain moves and computes: the counts on which its tile is chosen.

Device memory is counted once a tensor: what blocks read twice comes from the second-level cache.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, prod

from schedules.cuda import emit_chain
from schedules.cuda.block import LANES
from schedules.cuda.chain import FLOAT_BYTES, PATCH, Chain, Tile, slices, step
from schedules.cuda.patch import KERNEL
from schedules.cuda.product import Access, Product, largest_divisor, loads_together
from schedules.cuda.shared import (
    expand_columns,
    followed_columns,
    halo_of,
    image_of,
    patch_of,
    staged_places,
)
from schedules.gpu import WARP

TAPS = KERNEL * KERNEL
# What the block has made lies in shared memory.
KEPT = Access(LANES, shared=True)


@dataclass(frozen=True)
class Work:
    """One step of one block: float32 multiply-adds, cycles of the load unit, bytes from the
    second-level cache, and how often in turn a thread waits for memory."""

    macs: float
    load_cycles: float
    bytes: float
    waits: float


@lru_cache(maxsize=4096)
def device_bytes(chain: Chain) -> int:
    """Bytes between the chip and device memory in one call: every tensor and constant once, also
    one that has two roles."""
    tensors = {**emit_chain.inputs(chain), **emit_chain.constants(chain)}
    read = [shape for role, shape in tensors.items() if role not in chain.aliases]
    return FLOAT_BYTES * sum(map(prod, (*read, *emit_chain.outputs(chain).values())))


def blocks(chain: Chain, tile: Tile) -> int:
    """Blocks of the grid."""
    return patch_of(chain, tile).tiles * slices(chain, tile) * tile.parts


def steps(chain: Chain, tile: Tile) -> list[Work]:
    """The steps of one block in order."""
    halo, count, image = halo_of(chain, tile), tile.count, image_of(chain, tile)
    made = []
    if image:
        values = image.source.channels * image.count
        made.append(_pieces(values, (halo.count if halo else count) * PATCH, tile))
    fetched, first = 0 if image else 1, Access(step(chain), shared=image is not None)
    if chain.expand and halo:
        work = _product(chain.expand, halo.count, expand_columns(chain, tile), tile, first)
        groups = chain.expand.groups // slices(chain, tile)
        # The groups of a slice begin again with the first group of the data.
        groups = min(groups, chain.expand.sources or groups)
        made.append(_fetching(chain.expand, fetched * halo.count * groups, work))
    if chain.window:
        vectors = tile.groups * chain.windowed / LANES / (1 if chain.project else tile.parts)
        made.append(_window(count, vectors, tile, chain.expand is None))
    if chain.project:
        columns = tile.groups * chain.project.vectors // tile.parts
        work = _product(chain.project, count, columns, tile, KEPT if chain.window else first)
        fetched = 0 if chain.window else fetched
        made.append(_fetching(chain.project, fetched * count * tile.groups, work))
        if chain.mean:
            made.append(_mean(count, columns, tile))
    if chain.follow:
        columns = followed_columns(chain, tile)
        made.append(_product(chain.follow, count, columns, tile, KEPT))
    if chain.staged:
        made.append(_unload(count * staged_places(chain, tile, columns), chain, tile))
    if chain.pooled:
        share = chain.pooled.channels / LANES / slices(chain, tile) / tile.parts
        made.append(_window(count, share, tile, True))
    return made


def _pieces(values: int, patches: int, tile: Tile) -> Work:
    """A piece of an image to shared memory, and there to rows: loads of a value each."""
    fetches, copies = ceil(values / tile.threads), ceil(patches / tile.threads)
    warps = tile.threads / WARP
    return Work(0, warps * (fetches + 2 * copies), FLOAT_BYTES * values, fetches)


def _mean(count: int, columns: int, tile: Tile) -> Work:
    """The sums over all pixels of columns that lie in shared memory."""
    turns = ceil(columns * LANES / tile.threads)
    return Work(0, turns * tile.threads / WARP * count, 0, 1)


def _unload(values: int, chain: Chain, tile: Tile) -> Work:
    """Results through shared memory: whole rows by vectors, runs by values."""
    each = LANES if slices(chain, tile) == 1 else 1
    return Work(0, ceil(values / each / tile.threads) * tile.threads / WARP, 0, 0)


def _product(
    product: Product, count: int, columns: int, tile: Tile, access: Access
) -> Work:  # fmt: skip
    """A product of data that the block has already."""
    reads = product.inputs // access.step
    splits, pixels = largest_divisor(reads, tile.splits), min(tile.pixels, count)
    turns = ceil(splits * ceil(count / pixels) * columns / tile.threads)
    rounds = reads // splits
    # A turn occupies all threads, those that have no item in it too.
    warps = turns * tile.threads / WARP
    macs = turns * tile.threads * rounds * access.step * LANES * pixels
    # A warp reads weights of 128 bits a thread in four cycles, the pixel's data in one.
    load = warps * rounds * (pixels + LANES * access.step)
    weights = FLOAT_BYTES * LANES * columns * product.inputs
    together = loads_together(rounds, pixels, access)
    return Work(macs, load, weights, turns * rounds / together + (2 if splits > 1 else 1))


def _fetching(product: Product, count: int, work: Work) -> Work:
    """The same of data that comes from another kernel: that of a group, so many times."""
    return replace(work, bytes=work.bytes + FLOAT_BYTES * count * product.inputs)


def _window(count: int, vectors: float, tile: Tile, fetched: bool) -> Work:
    turns = ceil(count * vectors / tile.threads)
    warps = turns * tile.threads / WARP
    load = warps * TAPS * 2 * LANES
    fetch = FLOAT_BYTES * LANES * vectors * (count * 2 if fetched else 0)
    return Work(turns * tile.threads * TAPS * LANES, load, fetch, turns + 1)
