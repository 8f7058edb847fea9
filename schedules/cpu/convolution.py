"""Ordinary convolution on a CPU: any window, stride and padding, grouped or not.

    for strip, group, vector_block in parallel:      # strip_rows rows of output pixels
        for row, column_block:
            sum[columns, vectors x lanes] = bias[v]  # lives in registers
            for kh, kw, k:                           # k: input channels of the group
                sum[x, v] += data[row * stride + kh, x * stride + kw, k] * weight[v, kh, kw, k]
            out[row, x, v] = relu(sum[x, v])

Channels are lanes, as in the 1x1 convolution, which this is with a longer reduction; the data has
a border of zeros, so there is no condition anywhere. What is scarce is cache: all weights of VGG's
widest layers are 9 MB. The weights of one vector block, at most some hundred KB, stay in the
second-level cache while all pixels of a strip pass by; a step of the reduction reads `vectors` of
them for columns * vectors multiply-adds, so that cache need not be fast. The pixels under a tile
are read anew for every tap, from the first-level cache.

A dense layer behind an image is such a convolution, whose window is the whole image. With one
image every weight serves one multiply-add only, and what counts is that they are read in order.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.moves import Nest, keep_in_registers, partition
from schedules.cpu.prefetch import Panel
from schedules.cpu.products import Product, product_tiles
from schedules.frame import Frame
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch, store
from schedules.vectors import Vectors

NESTS = 2


@dataclass(frozen=True)
class Convolution:
    """A convolution with a window of `kernel` rows and columns.

    `inputs` and `outputs` are channels of one group; the border of `source` has at least `padding`
    zeros. The result goes to the channels of `target` from `offset` on.
    """

    source: Frame
    target: Frame
    kernel: tuple[int, int]
    stride: int
    padding: int
    groups: int
    inputs: int
    outputs: int
    lanes: int
    offset: int = 0
    activation: str = "none"

    @property
    def dtype(self) -> str:
        """Of its arithmetic."""
        return self.target.dtype

    @property
    def vectors(self) -> Vectors:
        """The output channels of a group as vectors."""
        return Vectors(self.outputs, self.lanes)

    @property
    def taps(self) -> int:
        """Pixels under the window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return self.target.pixels * self.groups * self.outputs * self.inputs * self.taps


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    strip_rows: int
    columns: int
    vectors: int


def emit(name: str, work: Convolution, tensors: Tensors) -> None:
    """Write the blocks of the stage: data, the packed weight, bias [channels], and out."""
    source, target, vectors, total = work.source, work.target, work.vectors, f"{name}_sum"
    data, weight, bias, out = (tensors[key] for key in ("data", "weight", "bias", "out"))
    axes = {"r": target.rows, "x": target.width, "g": work.groups}
    axes |= {"v": vectors.count, "l": work.lanes}
    taps = {"kh": work.kernel[0], "kw": work.kernel[1], "k": work.inputs}
    sums = scratch(total, tuple(axes.values()), work.dtype)
    with block(total, axes, reduce=taps) as (r, x, g, v, lane, kh, kw, k):
        row = source.window_row(r, target.height, work.stride, kh, work.padding)
        column = source.window_column(x, work.stride, work.padding) + kw
        value = T.cast(data[row, column, g * work.inputs + k], work.dtype)
        factor = T.cast(weight[g, v, kh, kw, k, lane], work.dtype)
        with T.init():
            start = T.cast(bias[_channel(work, g, v, lane)], work.dtype)
            T.buffer_store(sums, start, [r, x, g, v, lane])
        so_far = sums[r, x, g, v, lane]
        T.buffer_store(sums, so_far + value * factor, [r, x, g, v, lane])
    with block(name, axes) as (r, x, g, v, lane):
        channel = _channel(work, g, v, lane)
        value = activate(sums[r, x, g, v, lane], work.activation, work.dtype)
        store(out, value, target.at(r, x, work.offset + channel))


def _channel(work: Convolution, g: Any, v: Any, lane: Any) -> Any:
    """The output channel of a lane, counted over all groups."""
    return g * work.outputs + work.vectors.start(v) + lane


def weight_shapes(work: Convolution) -> dict[str, tuple[int, ...]]:
    """The constants of the stage and their packed shapes."""
    weight = (work.groups, work.vectors.count, *work.kernel, work.inputs, work.lanes)
    return {"weight": weight, "bias": (work.groups * work.outputs,)}


def weight_dtype(work: Convolution) -> str:
    """The type of the constants."""
    return work.source.dtype


def pack(work: Convolution, weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """[out channels, in channels of a group, height, width] as read: [g, v, kh, kw, k, lane]."""
    grouped = weight.reshape(work.groups, work.outputs, work.inputs, *work.kernel)
    if work.outputs % work.lanes:
        grouped = grouped[:, work.vectors.indices()]
    cut = grouped.reshape(work.groups, work.vectors.count, work.lanes, work.inputs, *work.kernel)
    return {"weight": np.ascontiguousarray(cut.transpose(0, 1, 4, 5, 3, 2)), "bias": bias}


def nest(sch: s_tir.Schedule, name: str, work: Convolution, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    out, sums = sch.get_sblock(name), sch.get_sblock(f"{name}_sum")
    r, x, g, v, lane = sch.get_loops(out)
    strip, row = sch.split(r, [None, tile.strip_rows])
    column_block, column = sch.split(x, [None, tile.columns])
    vector_block, vector = sch.split(v, [None, tile.vectors])
    sch.reorder(strip, g, vector_block, row, column_block, column, vector, lane)
    sch.compute_at(sums, column_block, preserve_unit_loops=True)
    sch.set_scope(sums, 0, "local")
    partition(sch, column_block)
    keep_in_registers(sch, column, vector, lane)
    *_, x, group, v, lane, kh, kw, k = sch.get_loops(sums)
    sch.reorder(group, kh, kw, k, x, v, lane)
    keep_in_registers(sch, x, v, lane)
    panel = Panel((row, column_block), (kh, kw, k), f"{name}_sum_update", tile.vectors)
    return Nest((strip, g, vector_block), sums, kh, panel=panel)


def tiles_that_fit(work: Convolution, machine: Machine) -> list[tuple[int, int]]:
    """Every (columns, vectors) whose sums, weights and one broadcast fit the registers."""
    return product_tiles(work.vectors.count, work.target.width, machine)


def hand_tiles(work: Convolution, machine: Machine, strip_rows: int) -> list[Tile]:
    """The tiles by what a count of cycles finds of them, the fastest first."""
    tiles = sorted(tiles_that_fit(work, machine), key=lambda tile: _cycles(work, machine, *tile))
    return [Tile(strip_rows, *tile) for tile in tiles]


def _cycles(work: Convolution, machine: Machine, columns: int, vectors: int) -> float:
    """Cycles of a pixel of one group."""
    product = Product(machine, work.lanes, vectors, work.taps * work.inputs)
    return work.vectors.count / vectors * product.pixel_cycles(columns, work.target.width)
