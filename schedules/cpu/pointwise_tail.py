"""The last channels of every group of a 1x1 convolution, where they are less than a vector.

    for strip in parallel:                           # strip_rows rows of pixels
        for group, row, column_block:
            sum[columns, channels x depth] = 0       # lives in registers
            for k:                                   # input channels, `depth` at a time
                sum[x, c, d] += data[row, x, k * depth + d] * weight[group, k, c, d]
            out[row, x, c] = relu(sum over d of sum[x, c, d] + bias[c])

20 channels are two vectors of 8 and 4 more. A vector of those 4 would be half empty, or would
compute 4 others twice; instead it holds them for two input channels at once, and both halves are
added up after the last. It takes `depth` consecutive input channels, repeated for every channel,
which is a load that broadcasts, so the input must not be shuffled.
"""

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from tvm import s_tir, tirx
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.moves import Nest, partition
from schedules.frame import Frame
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch, zero

NESTS = 2


@dataclass(frozen=True)
class PointwiseTail:
    """The channels of `groups` groups from `first` on, of a convolution with `outputs` a group.

    `inputs` are channels of one group, a multiple of `depth`.
    """

    source: Frame
    target: Frame
    groups: int
    inputs: int
    outputs: int
    first: int
    depth: int
    offset: int = 0
    activation: str = "relu"

    @property
    def channels(self) -> int:
        """Output channels of a group that this stage makes."""
        return self.outputs - self.first

    @property
    def lanes(self) -> int:
        """Of one vector: every channel for `depth` input channels."""
        return self.channels * self.depth

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return self.source.pixels * self.groups * self.inputs * self.channels


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    strip_rows: int
    columns: int


def emit(name: str, work: PointwiseTail, tensors: Tensors) -> None:
    """Write the blocks of the stage; tensors as of a pointwise convolution without residual."""
    depth, total = work.depth, f"{name}_sum"
    data, weight, bias, out = (tensors[key] for key in ("data", "weight", "bias", "out"))
    axes = {"r": work.source.rows, "x": work.source.width, "g": work.groups}
    sums = scratch(total, tuple(axes.values()), f"float32x{work.lanes}")
    every = T.ramp(0, 1, work.lanes)
    with block(total, axes, reduce={"k": work.inputs // depth}) as (r, x, g, k):
        inputs = T.ramp(g * work.inputs + k * depth, 1, depth)
        values = [data[work.source.at(r, x, inputs)]] * work.channels
        repeated = tirx.Shuffle(values, list(range(work.lanes)))
        with T.init():
            T.buffer_store(sums, T.broadcast(zero(), work.lanes), [r, x, g])
        T.buffer_store(sums, sums[r, x, g] + repeated * weight[g, k, every], [r, x, g])
    with block(name, axes) as (r, x, g):
        made = g * work.outputs + work.first
        made = made if work.channels == 1 else T.ramp(made, 1, work.channels)
        parts = [
            tirx.Shuffle([sums[r, x, g]], list(range(d, work.lanes, depth))) for d in range(depth)
        ]
        value = activate(reduce(add, parts) + bias[made], work.activation, work.channels)
        T.buffer_store(out, value, list(work.target.at(r, x, work.offset + made)))


def weight_shapes(work: PointwiseTail) -> dict[str, tuple[int, ...]]:
    """The constants of the stage and their packed shapes."""
    weight = (work.groups, work.inputs // work.depth, work.lanes)
    return {"weight": weight, "bias": (work.groups * work.outputs,)}


def pack(work: PointwiseTail, weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """[out channels, in channels of a group] as read: [g, k, channel x depth]; the bias stays."""
    own = weight.reshape(work.groups, work.outputs, work.inputs)[:, work.first :]
    steps = own.reshape(work.groups, work.channels, work.inputs // work.depth, work.depth)
    packed = steps.transpose(0, 2, 1, 3).reshape(weight_shapes(work)["weight"])
    return {"weight": np.ascontiguousarray(packed), "bias": bias}


def nest(sch: s_tir.Schedule, name: str, tile: Any) -> Nest:
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
    *_, x, group, k = sch.get_loops(sums)
    sch.reorder(group, k, x)
    sch.unroll(x)
    return Nest((strip, g), sums, k, unrolled=2, vectorized=False)


def tiles_that_fit(work: PointwiseTail, machine: Machine) -> list[tuple[int]]:
    """Every number of columns whose sums, one weight and one value fit the registers."""
    return [(columns,) for columns in range(1, min(work.source.width, machine.registers - 2) + 1)]


def hand_tile(work: PointwiseTail, machine: Machine, strip_rows: int) -> Tile:
    """The widest tile of those that cut the width most evenly: a weight serves every column."""
    widest = len(tiles_that_fit(work, machine))
    blocks = -(-work.source.width // widest)
    return Tile(strip_rows, -(-work.source.width // blocks))
