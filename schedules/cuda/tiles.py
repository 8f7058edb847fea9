"""The tiles of a chain: those that fit a GPU, and the one that a count of cycles finds fastest.

Small maps have few pixels: at batch 1 a tile has to be small, outputs cut in parts and reductions
split, or most multiprocessors have nothing to do. Large batches want the opposite, many pixels a
thread, so that a weight is read once for all of them. The count weighs one against the other.
"""

from dataclasses import replace
from functools import lru_cache
from math import ceil, inf

from schedules.cuda.chain import Chain, Tile, on_matrices
from schedules.cuda.extent import matrix_shape
from schedules.cuda.fragments import ROWS
from schedules.cuda.product_lanes import keeps_two_turns
from schedules.cuda.shared import shared_bytes
from schedules.cuda.tile_numbers import pixels_of, run_lengths_of, shapes_of, shares_of, splits_of
from schedules.cuda.traffic import blocks, device_bytes, steps
from schedules.cuda.vectors import ACCESS_BYTES
from schedules.gpu import BLOCK_SHARED_BYTES, WARP, Gpu

THREADS = (64, 128, 256)
# Tiles of which all runs are tried.
FEWEST = 50
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
        for rows, columns in shapes_of(chain)
        for groups, parts in shares_of(chain)
        for pixels in pixels_of(chain)
        for threads in THREADS
        for splits in splits_of(chain, Tile(rows, columns, parts, pixels, 1, threads, groups))
        # Of how many pixels a thread has the windows makes no difference to what fits.
        if fits(chain, Tile(rows, columns, parts, pixels, splits, threads, groups), gpu)
        for run in run_lengths_of(chain, columns)
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
    runs = [replace(tile, run=run) for tile in near for run in run_lengths_of(chain, tile.columns)]
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
