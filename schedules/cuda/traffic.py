"""What a chain moves and computes: the counts on which its tile is chosen.

Device memory is counted once a tensor: what blocks read twice comes from the second-level cache.
"""

from dataclasses import dataclass, replace
from math import ceil, prod

from schedules.cuda import emit_chain
from schedules.cuda.block import LANES
from schedules.cuda.chain import FLOAT_BYTES, PATCH, Chain, Tile, halo_of, patch_of, step
from schedules.cuda.patch import KERNEL
from schedules.cuda.product import Product, largest_divisor
from schedules.frame import Planes
from schedules.gpu import WARP

TAPS = KERNEL * KERNEL


@dataclass(frozen=True)
class Work:
    """One step of one block: float32 multiply-adds, cycles of the load unit, bytes from the
    second-level cache, and how often in turn a thread waits for memory."""

    macs: float
    load_cycles: float
    bytes: float
    waits: float


def device_bytes(chain: Chain) -> int:
    """Bytes between the chip and device memory in one call: every tensor and constant once."""
    tensors = {**emit_chain.inputs(chain), **emit_chain.constants(chain)}
    written = emit_chain.outputs(chain)
    return FLOAT_BYTES * sum(prod(shape) for shape in (*tensors.values(), *written.values()))


def blocks(chain: Chain, tile: Tile) -> int:
    """Blocks of the grid."""
    return patch_of(chain, tile).tiles * chain.slices * tile.parts


def steps(chain: Chain, tile: Tile) -> list[Work]:
    """The steps of one block in order."""
    halo, count = halo_of(chain, tile), tile.count
    made = []
    if isinstance(chain.source, Planes):
        made.append(_patches((halo.count if halo else count), tile))
    access = step(chain)
    if chain.expand and halo:
        columns = chain.expand.groups // chain.slices * chain.expand.vectors
        work = _product(chain.expand, halo.count, columns, tile, access)
        made.append(_fetching(chain.expand, halo.count, work))
    if chain.window:
        parts = 1 if chain.project else tile.parts
        made.append(_window(count, chain.windowed / LANES / parts, tile, chain.expand is None))
    if chain.project:
        columns = chain.project.vectors // tile.parts
        work = _product(chain.project, count, columns, tile, access)
        made.append(work if chain.window else _fetching(chain.project, count, work))
    if chain.follow:
        made.append(_product(chain.follow, count, chain.follow.vectors, tile, LANES))
    if chain.pooled:
        share = chain.pooled.channels / LANES / chain.slices / tile.parts
        made.append(_window(count, share, tile, True))
    return made


def _patches(count: int, tile: Tile) -> Work:
    turns = ceil(count * PATCH / tile.threads)
    return Work(0, turns * tile.threads / WARP, count * PATCH, turns)


def _product(
    product: Product, count: int, columns: int, tile: Tile, access: int
) -> Work:  # fmt: skip
    """A product of data that the block has already."""
    reads = product.inputs // access
    splits, pixels = largest_divisor(reads, tile.splits), min(tile.pixels, count)
    turns = ceil(splits * ceil(count / pixels) * columns / tile.threads)
    rounds = reads // splits
    # A turn occupies all threads, those that have no item in it too.
    warps = turns * tile.threads / WARP
    macs = turns * tile.threads * rounds * access * LANES * pixels
    # A warp reads weights of 128 bits a thread in four cycles, the pixel's data in one.
    load = warps * rounds * (pixels + LANES * access)
    weights = FLOAT_BYTES * LANES * columns * product.inputs
    unrolled = largest_divisor(rounds, max(1, 8 // access))
    return Work(macs, load, weights, turns * rounds / unrolled + (2 if splits > 1 else 1))


def _fetching(product: Product, count: int, work: Work) -> Work:
    """The same of data that comes from another kernel."""
    return replace(work, bytes=work.bytes + FLOAT_BYTES * count * product.inputs)


def _window(count: int, vectors: float, tile: Tile, fetched: bool) -> Work:
    turns = ceil(count * vectors / tile.threads)
    warps = turns * tile.threads / WARP
    load = warps * TAPS * 2 * LANES
    fetch = FLOAT_BYTES * LANES * vectors * (count * 2 if fetched else 0)
    return Work(turns * tile.threads * TAPS * LANES, load, fetch, turns + 1)
