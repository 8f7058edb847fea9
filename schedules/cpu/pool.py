"""Pooling on a CPU.

    for strip in parallel:                           # strip_rows rows of output pixels
        for row, vector_block, column_block:         # or the other way round
            best[columns, vectors x lanes] = 0       # lives in registers
            for kh, kw in unroll:
                best[x, v] = max(best[x, v], data[row * stride + kh, x * stride + kw, v])
            out[row, x, v] = best[x, v]

and the same with a sum and a factor for the average. Channels are lanes. Outside the image are
zeros, also under windows that begin inside and end outside: for an average that counts the padding,
that is what is asked for; for a maximum it is right where no value is negative, so after a ReLU.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.reciprocal import factors
from schedules.cpu.window import KERNEL, by_hand, nest, orders, under
from schedules.cpu.window import OrderedTile as Tile
from schedules.frame import Frame
from schedules.machine import LINE, Machine
from schedules.program import Tensors, block, scratch, store, zero
from schedules.vectors import Vectors

__all__ = [
    "NESTS",
    "Tile",
    "emit",
    "hand_tiles",
    "nest",
    "tiles_that_fit",
    "weight_shapes",
]

NESTS = 2


@dataclass(frozen=True)
class Pool:
    """A "max" or "average" over each channel, to the channels of `target` from `offset` on.

    The window is 3x3, padded by one.
    """

    source: Frame
    target: Frame
    kind: str
    stride: int
    lanes: int
    offset: int = 0
    activation: str = "none"
    macs: int = 0

    @property
    def dtype(self) -> str:
        """Of its arithmetic."""
        return self.source.dtype

    @property
    def window(self) -> tuple[int, int]:
        """Rows of the window, as many columns, and its padding."""
        return KERNEL, 1

    @property
    def vectors(self) -> Vectors:
        """The channels as vectors."""
        return Vectors(self.source.channels, self.lanes)


@dataclass(frozen=True)
class SizedPool(Pool):
    """The same with a window of `kernel` rows and columns, padded by `padding`."""

    kernel: int = 2
    padding: int = 0

    @property
    def window(self) -> tuple[int, int]:
        """Rows of the window, as many columns, and its padding."""
        return self.kernel, self.padding


def emit(name: str, work: Pool, tensors: Tensors) -> None:
    """Write the blocks of the stage: data and out."""
    data, out = tensors["data"], tensors["out"]
    vectors, target, total = work.vectors, work.target, f"{name}_sum"
    kernel, _ = work.window
    axes = {"r": target.rows, "x": target.width, "v": vectors.count, "l": work.lanes}
    sums = scratch(total, tuple(axes.values()), work.dtype)
    with block(total, axes, reduce={"kh": kernel, "kw": kernel}) as (r, x, v, lane, kh, kw):
        value = under(work, data, (r, x), (kh, kw), vectors.start(v) + lane)
        with T.init():
            T.buffer_store(sums, zero(work.dtype), [r, x, v, lane])
        so_far = sums[r, x, v, lane]
        combined = T.max(so_far, value) if work.kind == "max" else so_far + value
        T.buffer_store(sums, combined, [r, x, v, lane])
    with block(name, axes) as (r, x, v, lane):
        value = sums[r, x, v, lane]
        if work.kind == "average":
            for factor in factors(kernel * kernel, work.dtype):
                value = value * T.FloatImm(work.dtype, factor)
        at = target.at(r, x, work.offset + vectors.start(v) + lane)
        done = activate(value, work.activation, work.dtype)
        store(out, done, at)


def weight_shapes(work: Pool) -> dict[str, tuple[int, ...]]:
    """A pool has no constants."""
    return {}


def tiles_that_fit(work: Pool, machine: Machine) -> list[tuple[int, int, bool]]:
    """Every (columns, vectors, channels inside) whose results and one row of data fit the
    registers."""
    return [
        (columns, vectors, inside)
        for vectors in range(1, work.vectors.count + 1)
        for columns in range(1, min(work.target.width, machine.registers) + 1)
        if work.vectors.count % vectors == 0
        and vectors * (columns + (columns - 1) * work.stride + work.window[0]) <= machine.registers
        for inside in orders(work, machine, columns, vectors)
    ]


def hand_tiles(work: Pool, machine: Machine, strip_rows: int) -> list[Tile]:
    """The widest row of a vector first, as every load serves up to three results, of whole lines.

    Two vector blocks that share lines bring each line twice, from the second-level cache where the
    rows under the window do not stay in the first.
    """
    size, inside = np.dtype(work.dtype).itemsize, by_hand(machine)
    fitting = [tile for tile in tiles_that_fit(work, machine) if tile[2] == inside]

    def used(vectors: int) -> float:
        of_a_pixel = vectors * work.lanes * size
        return of_a_pixel / (ceil(of_a_pixel / LINE) * LINE)

    most = max(used(vectors) for _, vectors, _ in fitting)
    whole = [tile for tile in fitting if used(tile[1]) >= most]
    whole.sort(key=lambda tile: (tile[1], -tile[0]))
    return [Tile(strip_rows, *tile) for tile in whole]
