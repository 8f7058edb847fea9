"""Grouped 1x1 convolution on a CPU whose multiply-adds take a lane of a vector as one factor.

    for strip in parallel:                           # strip_rows rows of pixels
        for group, vector_block, row, column_block:
            sum[columns, vectors x lanes] = bias[v] + residual[row, x, v]    # in registers
            for k:                                   # input channels, `depth` at a time
                value[columns, depth] = data[row, x, k * depth ...]     # one load a column
                for d in unroll:
                    sum[x, v] += value[x, d] * weight[group, v, k * depth + d]
            out[row, x, v] = relu(sum[x, v])

A load of the data serves `depth` multiply-adds of each vector, where a load that repeats one value
serves one. It takes neighbours in memory: so input channels must lie in the order in which they
are read, and a channel shuffle is made where its data is written. There group g of `spread` leaves
its channels `spread` apart, beginning with g, which takes a store for each lane of a sum that has
taken a multiply-add for every input channel.

What is scarce is registers: a tile of `columns` x `vectors` sums needs `columns` more for the data
and, as weights are loaded before they are due, more than one for those.
"""

from dataclasses import dataclass
from math import gcd
from typing import Any

from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.cpu import pointwise
from schedules.cpu.moves import Nest, keep_in_registers
from schedules.cpu.pixel_tiles import tiled
from schedules.cpu.pointwise import Pointwise, Tile, pack, uneven, weight_dtype, weight_shapes
from schedules.cpu.prefetch import Panel
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch

__all__ = [
    "NESTS",
    "Tile",
    "emit",
    "hand_tiles",
    "nest",
    "pack",
    "tiles_that_fit",
    "weight_dtype",
    "weight_shapes",
]

NESTS = 2
# Of the buffers that the block of sums reads: the data comes before the weight, the last.
DATA = -2
# Streams of weights, one for each vector: more exceed the registers for addresses.
STREAMS = 10
# The share of the registers that sums may take.
SUMS = 2 / 3
# Registers for weights. With fewer the compiler, which loads early, keeps sums in memory. It loads
# earlier where a load takes two cycles, or serves eight multiply-adds; and in a loop that it
# unrolls, which is one of few multiply-adds, or of few turns on a core that does nothing out of
# order, or that converts what it loads.
WEIGHT_REGISTERS, EARLY_REGISTERS = 4, 8
UNROLLED, UNROLLED_TURNS, UNROLLED_REGISTERS = 256, 9, 12
# Multiply-adds of float16 take their lane from one of the first half of the registers only, where
# the data of this turn and the next must fit.
HALF_COLUMNS = 7


@dataclass(frozen=True)
class PointwiseLanes(Pointwise):
    """A 1x1 convolution whose result may be shuffled, and whose data is not.

    `spread` is the number of groups of the channel shuffle after it, 1 for none, and otherwise the
    number of its own groups.
    """

    spread: int = 1

    @property
    def depth(self) -> int:
        """Input channels that are loaded at once: a power of two that divides those of a group.

        No more than `lanes`, which are no power of two where a group has three outputs.
        """
        return gcd(self.inputs, 1 << (self.lanes.bit_length() - 1))

    def place(self, group: Any, channel: Any) -> Any:
        """Where a channel of a group, counted from `first`, lies in `target`."""
        if self.spread == 1:
            return super().place(group, channel)
        return self.offset + (self.first + channel) * self.spread + group


def emit(name: str, work: PointwiseLanes, tensors: Tensors) -> None:
    """Write the blocks of the stage; tensors as of any pointwise convolution."""
    total, vectors, depth = f"{name}_sum", work.vectors, work.depth
    data, weight = tensors["data"], tensors["weight"]
    rows, width = work.source.rows, work.source.width
    axes = {"r": rows, "x": width, "g": work.groups, "v": vectors.count, "l": work.lanes}
    sums = scratch(total, tuple(axes.values()), work.dtype)
    taken = {"k": work.inputs // depth, "d": depth}
    with block(total, axes, reduce=taken) as (r, x, g, v, lane, k, d):
        at = [r, x, g, v, lane]
        value = T.cast(data[work.source.at(r, x, g * work.inputs + k * depth + d)], work.dtype)
        factor = T.cast(weight[g, v, k * depth + d, lane], work.dtype)
        with T.init():
            T.buffer_store(sums, pointwise.start(work, tensors, at), at)
        T.buffer_store(sums, sums[tuple(at)] + value * factor, at)
    with block(name, axes) as at:
        pointwise.finish(work, tensors, at, sums[tuple(at)])


def nest(sch: s_tir.Schedule, name: str, work: PointwiseLanes, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    sums, outer, pixels = tiled(sch, name, tile, work)
    *_, x, group, v, lane, k, d = sch.get_loops(sums)
    values = sch.cache_read(sums, len(sch.get(sums).reads) + DATA, "local")
    sch.reorder(group, k, d, v, x, lane)
    sch.compute_at(values, k, preserve_unit_loops=True)
    sch.unroll(d)
    keep_in_registers(sch, x, v, lane)
    *_, column, neighbour = sch.get_loops(values)
    sch.unroll(column)
    sch.vectorize(neighbour)
    panel = Panel(pixels, (k,), f"{name}_sum_update", tile.vectors)
    return Nest(outer, sums, k, panel=panel, row=pixels[0])


def tiles_that_fit(work: PointwiseLanes, machine: Machine) -> list[tuple[int, int]]:
    """Every (columns, vectors) whose sums, data and weights fit the registers."""
    return [
        (columns, vectors)
        for vectors in range(1, min(work.vectors.count, STREAMS) + 1)
        for columns in range(1, _most_columns(work) + 1)
        if work.vectors.count % vectors == 0
        and columns * vectors <= SUMS * machine.registers
        and columns * vectors + columns + _room(work, machine, columns * vectors)
        <= machine.registers
    ]


def _most_columns(work: PointwiseLanes) -> int:
    return min(work.source.width, HALF_COLUMNS) if work.dtype == "float16" else work.source.width


def _room(work: PointwiseLanes, machine: Machine, sums: int) -> int:
    slow = machine.load_cycles(machine.lanes) > 1
    unrolled = sums * work.inputs <= UNROLLED or (
        slow and work.inputs <= UNROLLED_TURNS * work.depth
    )
    if unrolled or work.source.dtype != work.dtype:
        return UNROLLED_REGISTERS
    return EARLY_REGISTERS if slow or work.depth > WEIGHT_REGISTERS else WEIGHT_REGISTERS


def hand_tiles(work: PointwiseLanes, machine: Machine, strip_rows: int) -> list[Tile]:
    """The tiles by what a count of cycles finds of them, the fastest first."""
    tiles = sorted(tiles_that_fit(work, machine), key=lambda tile: cycles(work, machine, *tile))
    return [Tile(strip_rows, *tile) for tile in tiles]


def cycles(work: PointwiseLanes, machine: Machine, columns: int, vectors: int) -> float:
    """Cycles of one pixel of one group with that tile."""

    def step(x: int) -> float:
        """Of `depth` input channels."""
        multiply = work.depth * x * vectors * machine.fma_cycles(work.lanes)
        loads = x * machine.load_cycles(work.depth)
        loads += work.depth * vectors * machine.load_cycles(work.lanes)
        # A load that hides behind a multiply-add still takes an issue slot, as does the loop.
        return max(multiply, loads, work.depth * machine.fma_latency) + loads / 4 + 1 if x else 0.0

    full, rest = divmod(work.source.width, columns)
    row = (full * step(columns) + step(rest)) * work.inputs / work.depth
    blocks = work.vectors.count / vectors
    return uneven(work, machine, vectors) * blocks * row / work.source.width
