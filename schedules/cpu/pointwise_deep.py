"""Grouped 1x1 convolution on a CPU, with several input channels in one vector.

    for strip in parallel:                           # strip_rows rows of pixels
        for group, row, column_block:
            sum[columns, vectors, channels x depth] = bias[v, c], 0, ...     # in registers
            for k:                                   # input channels, `depth` at a time
                sum[x, v, c, d] += data[row, x, k * depth + d] * weight[group, v, k, c, d]
            out[row, x, v, c] = relu(sum over d of sum[x, v, c, d])

20 channels are one vector of 16 and 4 more. A vector of those 4 would be mostly empty, or would
compute 12 others twice. With 4 input channels at once 20 channels are 80 lanes, five full vectors.
They take 4 consecutive input channels, repeated for every output channel: one load that broadcasts
serves all five, where a multiply-add of one input channel needs a load of its own for each vector
that is not wider. The input must not be shuffled. What it costs is adding up the lanes of a sum at
the end (`lane_sums.py`), which leaves channels in an order of its own: weights are packed such that
it is that of the output.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import s_tir, tirx
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.lane_sums import BLOCK, Pair, added, channels_in_order, rounds
from schedules.cpu.moves import Nest, partition
from schedules.cpu.prefetch import Panel
from schedules.cpu.products import Product
from schedules.frame import Frame
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch, store

NESTS = 2

# How much longer it takes where a core begins two multiply-adds of narrow vectors at once, and one
# of its widest. Measured on Zen 4, ShuffleNet 1.0x in 3 groups: units of 28 x 28 pixels take 4 %
# less with 4 inputs in vectors of 16 lanes than with 2 in vectors of 8.
PAIRED = 1.03
# Cycles of adding up the lanes of a pixel's sums by halves, each time.
HALVING = 3


@dataclass(frozen=True)
class PointwiseDeep:
    """Some channels of every group, of a convolution with `outputs` channels a group.

    `inputs` are channels of one group, a multiple of `depth`. Of the outputs this stage makes
    `count` from `first` on; they fill vectors of `lanes` = channels x depth.
    """

    source: Frame
    target: Frame
    groups: int
    inputs: int
    outputs: int
    first: int
    count: int
    depth: int
    lanes: int
    offset: int = 0
    activation: str = "relu"

    @property
    def dtype(self) -> str:
        """Of its arithmetic."""
        return self.source.dtype

    @property
    def vectors(self) -> int:
        """Vectors of a group's channels."""
        return self.count * self.depth // self.lanes

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return self.source.pixels * self.groups * self.inputs * self.count

    def places(self, group: Any, channel: int, count: int) -> Any:
        """Where `count` channels of a group, from that one of this stage on, lie in `target`."""
        at = self.offset + group * self.outputs + self.first + channel
        return at if count == 1 else T.ramp(at, 1, count)


@dataclass(frozen=True)
class SpreadPointwiseDeep(PointwiseDeep):
    """The same with a channel shuffle of `spread` groups, its own, made where it writes."""

    spread: int = 1

    def places(self, group: Any, channel: int, count: int) -> Any:
        """Where channels of a group lie: as many apart as there are groups."""
        at = self.offset + (self.first + channel) * self.spread + group
        return at if count == 1 else T.ramp(at, self.spread, count)


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest; a tile has all vectors of a group."""

    strip_rows: int
    columns: int


def emit(name: str, work: PointwiseDeep, tensors: Tensors) -> None:
    """Write the blocks of the stage; tensors as of a pointwise convolution without residual."""
    depth, total, lanes = work.depth, f"{name}_sum", work.lanes
    data, weight, bias, out = (tensors[key] for key in ("data", "weight", "bias", "out"))
    axes = {"r": work.source.rows, "x": work.source.width, "g": work.groups}
    each = {**axes, "v": work.vectors}
    sums = scratch(total, tuple(each.values()), f"{work.dtype}x{lanes}")
    every = T.ramp(0, 1, lanes)
    with block(total, each, reduce={"k": work.inputs // depth}) as (r, x, g, v, k):
        inputs = T.ramp(g * work.inputs + k * depth, 1, depth)
        values = [data[work.source.at(r, x, inputs)]] * (lanes // depth)
        repeated = tirx.Shuffle(values, list(range(lanes)))
        with T.init():
            T.buffer_store(sums, bias[g, v, every], [r, x, g, v])
        T.buffer_store(sums, sums[r, x, g, v] + repeated * weight[g, v, k, every], [r, x, g, v])
    with block(name, axes) as (r, x, g):
        additions, made = _rounds(work), 0
        values = added([sums[r, x, g, v] for v in range(work.vectors)], additions)
        lengths = [len(pair.lower) for pair in additions[-1]]
        for value, channels in zip(values, lengths, strict=True):
            done = activate(value, work.activation, work.dtype, channels)
            store(out, done, work.target.at(r, x, work.places(g, made, channels)), channels)
            made += channels


def _rounds(work: PointwiseDeep) -> list[list[Pair]]:
    return rounds(work.vectors, work.lanes, work.depth, BLOCK // np.dtype(work.dtype).itemsize)


def weight_shapes(work: PointwiseDeep) -> dict[str, tuple[int, ...]]:
    """The constants of the stage and their packed shapes."""
    weight = (work.groups, work.vectors, work.inputs // work.depth, work.lanes)
    return {"weight": weight, "bias": (work.groups, work.vectors, work.lanes)}


def weight_dtype(work: PointwiseDeep) -> str:
    """The type of the constants."""
    return work.source.dtype


def pack(work: PointwiseDeep, weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """[out channels, in channels of a group] as read: [g, v, k, c x depth], bias [g, v, c x depth].

    The first lane of each channel has its bias, the others zero.
    """
    chosen = work.first + channels_in_order(_rounds(work), work.vectors, work.lanes, work.depth)
    own = weight.reshape(work.groups, work.outputs, work.inputs)[:, chosen]
    steps = work.inputs // work.depth
    split = own.reshape(work.groups, work.vectors, -1, steps, work.depth)
    packed = split.transpose(0, 1, 3, 2, 4).reshape(weight_shapes(work)["weight"])
    start = np.zeros((work.groups, work.count, work.depth), bias.dtype)
    start[..., 0] = bias.reshape(work.groups, work.outputs)[:, chosen]
    shape = weight_shapes(work)["bias"]
    return {"weight": np.ascontiguousarray(packed), "bias": start.reshape(shape)}


def nest(sch: s_tir.Schedule, name: str, work: PointwiseDeep, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    out, sums = sch.get_sblock(name), sch.get_sblock(f"{name}_sum")
    r, x, g = sch.get_loops(out)
    strip, row = sch.split(r, [None, tile.strip_rows])
    column_block, column = sch.split(x, [None, tile.columns])
    sch.reorder(strip, g, row, column_block, column)
    sch.compute_at(sums, column_block, preserve_unit_loops=True)
    sch.set_scope(sums, 0, "local")
    partition(sch, column_block)
    sch.unroll(column)
    *_, x, group, v, k = sch.get_loops(sums)
    sch.reorder(group, k, x, v)
    sch.unroll(x)
    sch.unroll(v)
    panel = Panel((row, column_block), (k,), f"{name}_sum_update", work.vectors)
    return Nest((strip, g), sums, k, unrolled=3, vectorized=False, panel=panel, row=row)


def tiles_that_fit(work: PointwiseDeep, machine: Machine) -> list[tuple[int]]:
    """Every number of columns whose sums, weights and one value fit the registers."""
    vectors = work.vectors
    most = min(work.source.width, (machine.registers - vectors - 1) // vectors)
    return [(columns,) for columns in range(1, most + 1)]


def hand_tiles(work: PointwiseDeep, machine: Machine, strip_rows: int) -> list[Tile]:
    """Those that leave room to add up lanes, the fastest first as a count of cycles finds."""
    fitting = tiles_that_fit(work, machine)
    # Where multiply-adds take nothing from memory, the data has registers too.
    most = machine.registers // 2 if machine.memory_operands else 3 * machine.registers // 8
    roomy = [tile for tile in fitting if tile[0] <= most]
    roomy.sort(key=lambda tile: cycles(work, machine, *tile))
    return [Tile(strip_rows, *tile) for tile in roomy]


def cycles(work: PointwiseDeep, machine: Machine, columns: int) -> float:
    """Cycles of one pixel of one group with that tile."""
    product = Product(machine, work.lanes, work.vectors, work.inputs // work.depth, work.dtype)
    paired = machine.fma_cycles(work.lanes) < machine.fma_cycles(machine.lanes)
    each = product.pixel_cycles(columns, work.source.width) * (PAIRED if paired else 1)
    return each + HALVING * (work.depth.bit_length() - 1)
