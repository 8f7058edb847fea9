"""The tiles of a chain: those that fit a GPU, and the one that a count of cycles finds fastest.

Small maps have few pixels: at batch 1 a tile has to be small, outputs cut in parts and reductions
split, or most multiprocessors have nothing to do. Large batches want the opposite, many pixels a
thread, so that a weight is read once for all of them. The count weighs one against the other.
"""

from dataclasses import replace
from functools import lru_cache
from math import ceil, inf

from schedules.cuda.chain import Chain, Tile, on_matrices
from schedules.cuda.extent import columns_of, count_of, matrix_shape
from schedules.cuda.fragments import ROWS
from schedules.cuda.product_lanes import keeps_two_turns
from schedules.cuda.shared import shared_bytes
from schedules.cuda.traffic import blocks, device_bytes, steps
from schedules.cuda.vectors import ACCESS_BYTES, bytes_of
from schedules.frame import Planes
from schedules.gpu import BLOCK_SHARED_BYTES, WARP, Gpu

THREADS = (64, 128, 256)
PIXELS = (1, 2, 4, 8)
# Of a warp on tensor cores.
MATRIX_PIXELS = (16, 32, 64)
SPLITS = (1, 2, 4, 8, 16, 32)
LINES = (1, 2, 4, 7, 8, 14, 16, 28, 32, 49, 56, 64)
SIDES = (1, 2, 3, 4, 7, 8, 14)
RUNS = (1, 2, 4, 7)
# A row of an image that a block may have whole, so that it has no neighbours in it.
LONGEST_ROW = 28
MOST_PARTS = 64
# Tiles of which all runs are tried.
FEWEST = 50
# More turns than this of the threads of a block need no splits of reductions.
TURNS = 4
# Neighbouring values that are stored together fill half of the sectors of 32 bytes that they touch,
# wherever they begin and where a warp ends among them.
LEAST_RUN_BYTES = 52
# Values that a thread holds besides sums and data: weights, addresses and counters.
OTHER_REGISTERS = 40
MOST_REGISTERS = 128
REGISTER_BYTES = 4
# What the buffers of a block may lose between them, each of which begins at a line of 64 bytes.
ALIGNED_BYTES = 512
# Bytes that a multiprocessor takes from the second-level cache in a cycle.
L2_BYTES = 64
# The rest was fitted to the times of 1031 kernels of ShuffleNet and MobileNet in float32, batch 1
# and 128, on an H200, which it meets within 19 % (root mean square). Cycles for one of counted
# work: addresses take turns with multiply-adds and loads, and part of what blocks ask for lies in
# the first-level cache.
ISSUE, LOADS, MOVES = 1.3, 1.3, 0.45
# Cycles from a load to its value, and from a block's launch to its first load and from its last
# store to the next block.
WAIT, BLOCK_CYCLES = 370, 2000
# The share of the bandwidth of device memory that kernels reach.
DEVICE = 0.8
# Throughput, waiting and device memory hide each other partly: the exponent of their norm.
HIDING = 1.5
# Where device memory is the limit, tensor cores differ by the zeros that end their weights, and
# leave the lanes to what else there is.
SAME = 1.02


def registers(chain: Chain, tile: Tile) -> int:
    """What a thread holds at least: sums and data of its pixels; of halves, whose weights are kept
    for all values of an access, these too, once or twice."""
    access = ACCESS_BYTES // REGISTER_BYTES
    if chain.matrices:
        return _matrix_registers(chain, tile, access) + OTHER_REGISTERS
    turns = 1 + keeps_two_turns(chain.dtype, tile.pixels)
    halves = turns * chain.lanes * access if chain.dtype == "float16" else 0
    return tile.pixels * (chain.lanes + access) + halves + OTHER_REGISTERS


def _matrix_registers(chain: Chain, tile: Tile, access: int) -> int:
    """Sums, data and weights of a thread of a warp that multiplies matrices."""
    tiles = tile.pixels // ROWS
    vectors = max(matrix_shape(chain, product, tile).vectors for product in chain.products)
    return (tiles * vectors + tiles + vectors) * access


@lru_cache(maxsize=4096)
def tiles_that_fit(chain: Chain, gpu: Gpu) -> tuple[Tile, ...]:
    """Every tile within threads, shared memory and registers."""
    return tuple(
        Tile(rows, columns, parts, pixels, splits, threads, groups, run)
        for rows, columns in _shapes(chain)
        for groups, parts in _shares(chain)
        for pixels in _pixels(chain)
        for threads in THREADS
        for splits in _splits(chain, Tile(rows, columns, parts, pixels, 1, threads, groups))
        # Of how many pixels a thread has the windows makes no difference to what fits.
        if fits(chain, Tile(rows, columns, parts, pixels, splits, threads, groups), gpu)
        for run in _runs(chain, columns)
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

    def cost(tile: Tile) -> tuple[float, int]:
        return seconds(chain, tile, gpu), tile.count

    # Runs of windows change little of the order: only tiles that are good without are tried with.
    space = tiles_that_fit(chain, gpu)
    single = sorted((tile for tile in space if tile.run == 1), key=cost)
    near = single[: max(FEWEST, len(single) // 8)]
    runs = [replace(tile, run=run) for tile in near for run in _runs(chain, tile.columns)]
    ranked = sorted(runs, key=cost) + single
    return next((tile for tile in ranked if not starves(chain, tile, gpu)), ranked[0])


def starves(chain: Chain, tile: Tile, gpu: Gpu) -> bool:
    """Whether blocks are so large that too few warps run at once, though there are more blocks."""
    shared = shared_bytes(chain, tile)
    return gpu.starved(blocks(chain, tile), tile.threads, shared, registers(chain, tile))


def seconds(chain: Chain, tile: Tile, gpu: Gpu) -> float:
    """Modelled time of a kernel without its launch: instructions, loads or caches, waiting, and
    device memory."""
    work = steps(chain, tile)
    issue = ISSUE * sum(each.instructions for each in work) * WARP / gpu.lanes
    if chain.matrices:
        issue += sum(each.matrix_macs for each in work) / gpu.matrix_lanes
    loads = LOADS * sum(each.load_cycles for each in work)
    moved = MOVES * sum(each.bytes for each in work) / L2_BYTES
    waits = WAIT * sum(each.waits for each in work) + BLOCK_CYCLES
    turns = ceil(blocks(chain, tile) / gpu.multiprocessors)
    resident = gpu.resident_blocks(tile.threads, shared_bytes(chain, tile), registers(chain, tile))
    throughput, waiting = turns * max(issue, loads, moved), ceil(turns / resident) * waits
    device = device_bytes(chain) / (DEVICE * gpu.bandwidth) * gpu.clock_hz
    each = (throughput, waiting, device)
    cycles: float = sum(part**HIDING for part in each) ** (1 / HIDING)
    return cycles / gpu.clock_hz


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
    return max((WAIT + BLOCK_CYCLES) / gpu.clock_hz, device / (DEVICE * gpu.bandwidth))


def _pixels(chain: Chain) -> tuple[int, ...]:
    """Pixels of a thread, or of a warp on tensor cores."""
    if chain.matrices:
        return MATRIX_PIXELS
    return PIXELS if chain.products else (1,)


def _splits(chain: Chain, tile: Tile) -> list[int]:
    """Into how many reductions are split; no further where the smallest product has enough items
    for the threads of a block."""
    if not chain.products:
        return [1]
    if chain.matrices:
        return list(SPLITS)
    items = min(
        ceil(count_of(chain, one, tile) / tile.pixels) * columns_of(chain, one, tile)
        for one in chain.products
    )
    return [splits for splits in SPLITS if splits == 1 or splits * items <= TURNS * tile.threads]


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


def _runs(chain: Chain, columns: int) -> list[int]:
    """Of how many neighbours in a row of pixels a thread can have the windows."""
    if not chain.window and not chain.pool:
        return [1]
    width = chain.target.width
    return [run for run in RUNS if columns % run == 0 and width % run == 0]


def _parts(chain: Chain) -> list[int]:
    """Into how many parts a group's vectors can be cut; what follows needs all of them."""
    if chain.follow or (chain.expand and not chain.project):
        return [1]
    most = min(chain.vectors, MOST_PARTS)
    return [parts for parts in range(1, most + 1) if chain.vectors % parts == 0]
