"""What a product of a block moves and computes, by lanes or on tensor cores."""

from dataclasses import dataclass, replace
from math import ceil

from schedules.cuda.chain import Chain, Tile
from schedules.cuda.extent import columns_of, count_of, fetched, groups_of, matrix_shape
from schedules.cuda.fragments import COLUMNS, DEPTH, ROWS, STEPS, deep, steps_of
from schedules.cuda.matrix_shape import CHUNK
from schedules.cuda.product import Access, Product, largest_divisor
from schedules.cuda.product_lanes import LINE, columns_together, steps_together
from schedules.cuda.vectors import ACCESS_BYTES, SUM, bytes_of
from schedules.gpu import WARP

# In which a warp reads 128 bits a thread.
WIDE_CYCLES = 4
# Waits of a turn in which threads add up the sums of warps, and do what comes after; fitted to the
# times of 249 kernels of ShuffleNet on tensor cores, batch 1, on an H200.
ADDING = 0.5


@dataclass(frozen=True)
class Work:
    """One step of one block: instructions of its warps that multiply and add, convert or load,
    cycles of the load unit, bytes from the second-level cache, how often in turn a thread waits for
    memory, and multiply-adds of tensor cores."""

    instructions: float
    load_cycles: float
    bytes: float
    waits: float
    matrix_macs: float = 0


def product_work(chain: Chain, product: Product, tile: Tile, access: Access) -> Work:
    """A product of data that the block has already."""
    if product.matrices:
        return _by_matrices(chain, product, tile)
    return _by_lanes(chain, product, tile, access)


def fetching(chain: Chain, product: Product, tile: Tile, work: Work) -> Work:
    """The same of data that comes from another kernel: that of each of its groups."""
    groups = groups_of(chain, product, tile)
    # The groups of a slice begin again with the first group of the data.
    groups = min(groups, product.sources or groups)
    values = count_of(chain, product, tile) * groups * product.inputs
    return replace(work, bytes=work.bytes + bytes_of(product.dtype) * values)


def _by_lanes(chain: Chain, product: Product, tile: Tile, access: Access) -> Work:
    count, columns = count_of(chain, product, tile), columns_of(chain, product, tile)
    lanes, reads = product.lanes, product.inputs // access.step
    splits, pixels = largest_divisor(reads, tile.splits), min(tile.pixels, count)
    turns = ceil(splits * ceil(count / pixels) * columns / tile.threads)
    rounds = reads // splits
    # A turn occupies all threads, those that have no item in it too.
    warps = turns * tile.threads / WARP
    each = lanes * pixels + _conversions(product, pixels)
    instructions = warps * rounds * (access.step * each + pixels + access.step)
    # A warp reads a line of the cache in a cycle: of weights, those of its columns, eight vectors
    # a line; of data that of each of its pixels and groups, whose neighbours lie in other banks of
    # shared memory, but in other lines of a tensor.
    lines = 1 if access.shared else ceil(WARP / min(WARP, product.vectors))
    near = columns_together(columns, access)
    beside = min(columns, near * ceil(WARP / (near * ceil(count / pixels))), WARP)
    load = warps * rounds * (pixels * lines + access.step * ceil(beside / LINE))
    weights = ACCESS_BYTES * columns * product.inputs
    waits = turns * rounds / steps_together(rounds, access.step, lanes) + (2 if splits > 1 else 1)
    return Work(instructions, load, weights, waits)


def _conversions(product: Product, pixels: int) -> int:
    """Instructions a thread that widen a value of each pixel and a vector of weights."""
    return 0 if product.dtype == SUM else product.lanes + pixels


def _by_matrices(chain: Chain, product: Product, tile: Tile) -> Work:
    """Padding included."""
    shape, groups = matrix_shape(chain, product, tile), groups_of(chain, product, tile)
    count, columns = count_of(chain, product, tile), columns_of(chain, product, tile)
    warps, tiles = tile.threads // WARP, shape.pixels // ROWS
    turns = ceil(shape.items * groups / warps)
    steps = steps_of(product.inputs) / shape.splits
    multiplied = turns * warps * steps * tiles * shape.vectors
    # Four cycles bring 128 bits a thread: a matrix of data, or the weights of two steps.
    loads = turns * warps * steps * (tiles + shape.vectors / STEPS) * WIDE_CYCLES
    # Sums go to shared memory as 64 bits a thread and come back as 128.
    loads += turns * warps * tiles * shape.vectors * 4 + count * columns * shape.splits / WARP * 8
    weights = ACCESS_BYTES * columns * deep(product.inputs)
    waits = turns * steps / STEPS / 2 + 2 + ADDING * ceil(count * columns / tile.threads)
    if fetched(chain, product):
        staged = count * groups * deep(product.inputs) / product.lanes / WARP * 2 * WIDE_CYCLES
        loads += staged * (turns if product.inputs > CHUNK else 1)
        waits += ceil(product.inputs / CHUNK)
    return Work(0, loads, weights, waits, multiplied * ROWS * DEPTH * COLUMNS)
