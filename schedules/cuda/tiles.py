"""The tiles of a chain: those that fit a GPU, and the one that a count of cycles finds fastest.

Small maps have few pixels: at batch 1 a tile has to be small, outputs cut in parts and reductions
split, or most multiprocessors have nothing to do. Large batches want the opposite, many pixels a
thread, so that a weight is read once for all of them. The count weighs one against the other.
"""

from functools import lru_cache
from math import ceil, inf

from schedules.cuda.chain import Chain, Tile, on_matrices
from schedules.cuda.extent import matrix_shape
from schedules.cuda.fragments import ROWS
from schedules.cuda.shared import shared_bytes
from schedules.cuda.traffic import blocks, device_bytes, steps
from schedules.cuda.vectors import ACCESS_BYTES, bytes_of
from schedules.frame import Planes
from schedules.gpu import BLOCK_SHARED_BYTES, Gpu

THREADS = (64, 128, 256)
PIXELS = (1, 2, 4, 8)
# Of a warp on tensor cores.
MATRIX_PIXELS = (16, 32, 64)
SPLITS = (1, 2, 4, 8, 16)
LINES = (1, 2, 4, 7, 8, 14, 16, 28, 32, 49, 56, 64)
SIDES = (1, 2, 3, 4, 7, 8, 14)
# A row of an image that a block may have whole, so that it has no neighbours in it.
LONGEST_ROW = 28
MOST_PARTS = 16
# Neighbouring values that are stored together fill half of the sectors of 32 bytes that they touch,
# wherever they begin and where a warp ends among them.
LEAST_RUN_BYTES = 52
# Values that a thread holds besides sums, data and weights: addresses and counters.
OTHER_REGISTERS = 40
MOST_REGISTERS = 128
REGISTER_BYTES = 4
# What the buffers of a block may lose between them, each of which begins at a line of 64 bytes.
ALIGNED_BYTES = 512
# Cycles from a load to its value where the second-level cache has it; published figures for
# these architectures lie between 200 and 300.
WAIT = 250
# Bytes that a multiprocessor takes from the second-level cache in a cycle.
L2_BYTES = 64
# A step begins with a barrier, and a block with its launch.
STEP_CYCLES = 100
BLOCK_CYCLES = 500
# Where device memory is the limit, tensor cores differ by the zeros that end their weights, and
# leave the lanes to what else there is.
SAME = 1.02


def registers(chain: Chain, tile: Tile) -> int:
    """What a thread holds at least: sums and data of its pixels, one vector of weights a value."""
    access = ACCESS_BYTES // REGISTER_BYTES
    if chain.matrices:
        return _matrix_registers(chain, tile, access) + OTHER_REGISTERS
    return tile.pixels * (chain.lanes + access) + chain.lanes * access + OTHER_REGISTERS


def _matrix_registers(chain: Chain, tile: Tile, access: int) -> int:
    """Sums, data and weights of a thread of a warp that multiplies matrices."""
    tiles = tile.pixels // ROWS
    vectors = max(matrix_shape(chain, product, tile).vectors for product in chain.products)
    return (tiles * vectors + tiles + vectors) * access


@lru_cache(maxsize=4096)
def tiles_that_fit(chain: Chain, gpu: Gpu) -> tuple[Tile, ...]:
    """Every tile within threads, shared memory and registers."""
    return tuple(
        tile
        for rows, columns in _shapes(chain)
        for groups, parts in _shares(chain)
        for pixels in _pixels(chain)
        for splits in (SPLITS if chain.products else (1,))
        for threads in THREADS
        if fits(chain, tile := Tile(rows, columns, parts, pixels, splits, threads, groups), gpu)
    )


def fits(chain: Chain, tile: Tile, gpu: Gpu) -> bool:
    """Whether a block has what a tile needs, and gives every thread something to do."""
    if tile.pixels > tile.count and not chain.matrices:
        return False
    if registers(chain, tile) > MOST_REGISTERS:
        return False
    shared = shared_bytes(chain, tile)
    return (
        shared + ALIGNED_BYTES <= BLOCK_SHARED_BYTES
        and gpu.resident_blocks(tile.threads, shared, MOST_REGISTERS) >= 1
    )


@lru_cache(maxsize=4096)
def hand_tile(chain: Chain, gpu: Gpu) -> Tile:
    """The tile that a count of cycles finds fastest of those that do not starve a multiprocessor of
    warps; the smaller one on a tie."""
    space = tiles_that_fit(chain, gpu)
    fed = [tile for tile in space if not starves(chain, tile, gpu)]
    return min(fed or space, key=lambda tile: (seconds(chain, tile, gpu), tile.count))


def starves(chain: Chain, tile: Tile, gpu: Gpu) -> bool:
    """Whether blocks are so large that too few warps run at once, though there are more blocks."""
    shared = shared_bytes(chain, tile)
    return gpu.starved(blocks(chain, tile), tile.threads, shared, registers(chain, tile))


def seconds(chain: Chain, tile: Tile, gpu: Gpu) -> float:
    """Modelled time of a kernel without its launch: arithmetic, loads, caches or waiting."""
    work = steps(chain, tile)
    macs = sum(each.macs for each in work) / gpu.lanes
    if chain.matrices:
        macs += sum(each.matrix_macs for each in work) / gpu.matrix_lanes
    loads = sum(each.load_cycles for each in work)
    moved = sum(each.bytes for each in work) / L2_BYTES
    waits = sum(each.waits * WAIT + STEP_CYCLES for each in work) + BLOCK_CYCLES
    turns = ceil(blocks(chain, tile) / gpu.multiprocessors)
    resident = gpu.resident_blocks(tile.threads, shared_bytes(chain, tile), registers(chain, tile))
    throughput = turns * max(macs, loads, moved)
    cycles = max(throughput, ceil(turns / resident) * waits) + 0.25 * min(throughput, waits)
    return max(cycles / gpu.clock_hz, device_bytes(chain) / gpu.bandwidth)


@lru_cache(maxsize=4096)
def least_seconds(chain: Chain, gpu: Gpu) -> float:
    """Modelled time of a kernel with its hand tile, without its launch; without end if no tile fits
    the GPU, or none leaves room for enough warps."""
    if not tiles_that_fit(chain, gpu):
        return inf
    tile = hand_tile(chain, gpu)
    return inf if starves(chain, tile, gpu) else seconds(chain, tile, gpu)


@lru_cache(maxsize=4096)
def chosen(chain: Chain, gpu: Gpu) -> Chain:
    """The chain, with its products on tensor cores if the model finds it no slower there."""
    if chain.dtype != "float16" or not chain.products or not gpu.matrix_macs:
        return chain
    other = on_matrices(chain)
    matrices = least_seconds(other, gpu)
    return other if matrices < inf and matrices <= least_seconds(chain, gpu) * SAME else chain


def streaming_seconds(device: int, gpu: Gpu) -> float:
    """Modelled time of a kernel without its launch that only reads and writes so many bytes."""
    return max((WAIT + STEP_CYCLES + BLOCK_CYCLES) / gpu.clock_hz, device / gpu.bandwidth)


def _pixels(chain: Chain) -> tuple[int, ...]:
    """Pixels of a thread, or of a warp on tensor cores."""
    if chain.matrices:
        return MATRIX_PIXELS
    return PIXELS if chain.products else (1,)


def _shapes(chain: Chain) -> list[tuple[int, int]]:
    """Rows and columns of the pixels of a block."""
    target = chain.target
    squares = chain.expand is not None or isinstance(chain.source, Planes)
    if chain.mean:
        whole = target.height, target.width
        return [whole if squares else (1, whole[0] * whole[1])]
    if squares:
        sides = sorted({*SIDES, min(target.width, LONGEST_ROW)})
        # A tile and the same one upright cost as much; rows of the lying one are longer.
        return [
            (rows, columns)
            for rows in sides
            for columns in sides
            if rows <= min(columns, target.height) and columns <= target.width
            if rows * columns >= 4
        ] or [(1, 1)]
    return [(1, count) for count in LINES if count <= target.pixels]


def _shares(chain: Chain) -> list[tuple[int, int]]:
    """Groups of a block, and the parts of each; the parts are 1 where a step needs all of them."""
    every, order = chain.groups, chain.order
    run = LEAST_RUN_BYTES // bytes_of(chain.dtype)
    if chain.follow and chain.pooled:
        return [(every, 1)]
    if order is None or not chain.staged:
        least = run if chain.narrow else 1
        cuts = _parts(chain)
        return [(1, n) for n in cuts if n == 1 or chain.vectors // n * chain.lanes >= least]
    shares = [(every, 1)]
    # What a group of the shuffle leaves to each slice lies together.
    if order.slice == order.inputs and order.inputs // order.shuffle >= run:
        shares += [
            (1, parts) for parts in _parts(chain) if chain.vectors // parts * chain.lanes >= run
        ]
    return shares


def _parts(chain: Chain) -> list[int]:
    """Into how many parts a group's vectors can be cut; what follows needs all of them."""
    if chain.follow or (chain.expand and not chain.project):
        return [1]
    most = min(chain.vectors, MOST_PARTS)
    return [parts for parts in range(1, most + 1) if chain.vectors % parts == 0]
