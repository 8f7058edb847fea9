"""Grouped 1x1 convolution on a CPU, the channel shuffle before it and the epilogue after it.

    for strip in parallel:                           # strip_rows rows of pixels
        for group, vector_block, column_block:
            sum[columns, vectors x lanes] = bias[v] + residual[x, v]         # in registers
            for k:                                   # input channels of the group
                sum[x, v] += data[x, source(k)] * weight[group, v, k]
            out[x, v] = relu(sum[x, v])

A sum begins with what is added to it: that is loaded while the tile before is still multiplied,
where after the last step everything would wait for it. In float16 it ends with that.

Channels are lanes, so a multiply-add takes one value of the data, broadcast, and one vector of
weights, and the groups differ in addresses only. The shuffle is part of such an address: reading
input channel c of the shuffled tensor reads channel (c % g) * (C / g) + c // g of the one before
it, which costs no instruction on the data.

What is scarce is registers: a tile of `columns` x `vectors` sums needs `vectors` more for the
weights and one for the data, or `columns` for the data and one for a vector of weights, whichever
is less. One step of k loads columns + vectors values for columns * vectors multiply-adds, so square
tiles load least. `columns` need not divide the pixels: the compiler makes a second, narrower tile
for what is left over. There is one for each strip where the data has no border, as all its pixels
then follow each other, and one for each row where it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.moves import Nest, keep_in_registers
from schedules.cpu.pixel_tiles import in_turns, tiled
from schedules.cpu.prefetch import Panel
from schedules.cpu.products import Product, product_tiles
from schedules.frame import Frame
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch, store
from schedules.vectors import Vectors

NESTS = 2
# Input channels from which on the compiler keeps a loop over them. Of fewer it may make a sequence,
# in which it finds no place for the last sum when weights pass one by one.
ENOUGH_STEPS = 24


@dataclass(frozen=True)
class Pointwise:
    """What one grouped 1x1 convolution computes, and where it reads and writes.

    `inputs` and `outputs` are channels of one group, of which this stage makes `count` from `first`
    on, or all that follow. `shuffle` is the number of groups of the channel shuffle before it, 1
    for none. The result goes to the channels of `target` from `offset` on; `activation` is "relu",
    "sigmoid" or "none".
    """

    source: Frame
    target: Frame
    groups: int
    inputs: int
    outputs: int
    lanes: int
    shuffle: int = 1
    offset: int = 0
    residual: Frame | None = None
    activation: str = "relu"
    first: int = 0
    count: int | None = None

    @property
    def dtype(self) -> str:
        """Of its arithmetic."""
        return self.target.dtype

    @property
    def channels(self) -> int:
        """Output channels of a group that this stage makes."""
        return self.outputs - self.first if self.count is None else self.count

    @property
    def vectors(self) -> Vectors:
        """The output channels of a group that this stage makes, as vectors."""
        return Vectors(self.channels, self.lanes)

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return self.source.pixels * self.groups * self.inputs * self.channels

    @property
    def adds_last(self) -> bool:
        """Whether the residual is added to the sum, not the sum to it.

        Every step of a sum rounds it, and the more the larger it is: in float16 that matters.
        """
        return self.residual is not None and self.dtype == "float16"

    def place(self, group: Any, channel: Any) -> Any:
        """Where a channel of a group, counted from `first`, lies in `target`."""
        return self.offset + group * self.outputs + self.first + channel


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    strip_rows: int
    columns: int
    vectors: int


def emit(name: str, work: Pointwise, tensors: Tensors) -> None:
    """Write the blocks of the stage into the function that is being built.

    `tensors` are data [rows, width, channels], the packed weight, bias [channels], residual like
    out if there is one, and out.
    """
    vectors, total = work.vectors, f"{name}_sum"
    data, weight = tensors["data"], tensors["weight"]
    axes = work.source.pixel_axes | {"g": work.groups, "v": vectors.count, "l": work.lanes}
    sums = scratch(total, tuple(axes.values()), work.dtype)
    with block(total, axes, reduce={"k": work.inputs}) as (*at, k):
        *pixel, g, v, lane = at
        place = work.source.at(*work.source.row_and_column(pixel), source_channel(work, g, k))
        value = T.cast(data[place], work.dtype)
        factor = T.cast(weight[g, v, k, lane], work.dtype)
        with T.init():
            T.buffer_store(sums, start(work, tensors, at), at)
        T.buffer_store(sums, sums[tuple(at)] + value * factor, at)
    with block(name, axes) as at:
        finish(work, tensors, at, sums[tuple(at)])


def start(work: Pointwise, tensors: Tensors, at: Sequence[Any]) -> Any:
    """What a sum begins with; `at` are the axes of the pixel, group, vector and lane."""
    bias = T.cast(tensors["bias"][_channel(work, at)], work.dtype)
    return bias if work.residual is None or work.adds_last else bias + _residual(work, tensors, at)


def finish(work: Pointwise, tensors: Tensors, at: Sequence[Any], total: Any) -> None:
    """Write the store of a sum; `at` as above."""
    *pixel, g, v, lane = at
    r, x = work.source.row_and_column(pixel)
    if work.adds_last:
        total = total + _residual(work, tensors, at)
    place = work.target.at(r, x, work.place(g, work.vectors.start(v) + lane))
    done = activate(total, work.activation, work.dtype)
    store(tensors["out"], done, place)


def _channel(work: Pointwise, at: Sequence[Any]) -> Any:
    *_, g, v, lane = at
    return g * work.outputs + work.first + work.vectors.start(v) + lane


def _residual(work: Pointwise, tensors: Tensors, at: Sequence[Any]) -> Any:
    if work.residual is None:
        raise ValueError("no residual to add")
    r, x = work.source.row_and_column(at[:-3])
    return tensors["residual"][work.residual.at(r, x, _channel(work, at))]


def weight_shapes(work: Pointwise) -> dict[str, tuple[int, ...]]:
    """The constants of the stage and their packed shapes."""
    weight = (work.groups, work.vectors.count, work.inputs, work.lanes)
    return {"weight": weight, "bias": (work.groups * work.outputs,)}


def weight_dtype(work: Pointwise) -> str:
    """The type of the constants."""
    return work.source.dtype


def pack(work: Pointwise, weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """[out channels, in channels of a group] as read: [g, vector, k, lane]; the bias stays."""
    indices = [work.first + index for index in work.vectors.indices()]
    grouped = weight.reshape(work.groups, work.outputs, work.inputs)[:, indices]
    shape = (work.groups, work.vectors.count, work.lanes, work.inputs)
    packed = np.ascontiguousarray(grouped.reshape(shape).transpose(0, 1, 3, 2))
    return {"weight": packed, "bias": bias}


def nest(sch: s_tir.Schedule, name: str, work: Pointwise, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    sums, outer, pixels = tiled(sch, name, tile, work)
    *_, x, group, v, lane, k = sch.get_loops(sums)
    steps = in_turns(sch, k, work.shuffle)
    columns = tile.columns if isinstance(tile.columns, int) else int(sch.get(tile.columns))
    narrow = columns < tile.vectors and work.inputs >= ENOUGH_STEPS
    sch.reorder(group, *steps, *((v, x) if narrow else (x, v)), lane)
    keep_in_registers(sch, x, v, lane)
    axes = len(work.source.pixel_axes)
    panel = Panel(pixels, steps[:1], f"{name}_sum_update", tile.vectors, axes, work.shuffle)
    return Nest(outer, sums, steps[0], panel=panel, row=pixels[0] if axes > 1 else None)


def hand_tiles(work: Pointwise, machine: Machine, strip_rows: int) -> list[Tile]:
    """The tiles by what a count of cycles finds of them, the fastest first."""
    tiles = [Tile(strip_rows, *tile) for tile in tiles_that_fit(work, machine)]
    return sorted(tiles, key=lambda tile: cycles(work, machine, tile))


def tiles_that_fit(work: Pointwise, machine: Machine) -> list[tuple[int, int]]:
    """Every (columns, vectors) whose sums fit the registers with what is kept of a step."""
    either = work.inputs >= ENOUGH_STEPS
    return product_tiles(work.vectors.count, work.source.width, machine, either)


def cycles(work: Pointwise, machine: Machine, tile: Tile) -> float:
    """Cycles of one pixel of one group with that tile."""
    product = Product(machine, work.lanes, tile.vectors, work.inputs, work.dtype)
    rows = tile.strip_rows if len(work.source.pixel_axes) == 1 else 1
    pixels = product.pixel_cycles(tile.columns, rows * work.source.width)
    return uneven(work, machine, tile.vectors) * work.vectors.count / tile.vectors * pixels


def uneven(work: Pointwise, machine: Machine, vectors: int) -> float:
    """How many times the cores' equal share the busiest takes, where images are of one pixel: there
    they share the vector blocks, of `vectors` vectors, and nothing else."""
    if work.target.pixels > work.target.images:
        return 1.0
    blocks = work.target.images * work.groups * work.vectors.count // vectors
    return ceil(blocks / machine.cores) * machine.cores / blocks


def source_channel(work: Any, g: Any, k: Any) -> Any:
    """Where the k-th input channel of a group lies before the shuffle."""
    channel = g * work.inputs + k
    if work.shuffle == 1:
        return channel
    each = work.groups * work.inputs // work.shuffle
    return channel % work.shuffle * each + channel // work.shuffle
