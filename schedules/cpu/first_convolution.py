"""The first convolution of a network: dense, from the three planes of an image.

    for strip in parallel:                           # strip_rows rows of output pixels
        for row, vector_block, column_block:
            sum[columns, vectors x lanes] = bias[v]  # lives in registers
            for plane, kh, and kw unrolled:
                sum[x, v] += image[plane, y, x * stride + kw - padding] * weight[plane, kh, kw, v]
            out[row, x, v] = relu(sum[x, v])

The image comes as people have it, planes first and without a border, so that nothing is copied
before the first multiply-add. Channels of the result are lanes. The condition at the left and
right edge is gone from all column blocks but the first and the last, which the compiler makes
apart; the one at the upper and lower edge is a branch that is always predicted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.moves import Nest, keep_in_registers
from schedules.cpu.prefetch_rows import Rows
from schedules.cpu.products import product_tiles
from schedules.cpu.window import KERNEL, Tile, tiled
from schedules.frame import Frame, Planes
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch, store, zero
from schedules.vectors import Vectors

NESTS = 2


@dataclass(frozen=True)
class FirstConvolution:
    """A dense 3x3 convolution, padded by one, of images in planes."""

    source: Planes
    target: Frame
    stride: int
    lanes: int
    activation: str = "relu"

    @property
    def dtype(self) -> str:
        """Of its arithmetic."""
        return self.target.dtype

    @property
    def vectors(self) -> Vectors:
        """The output channels as vectors."""
        return Vectors(self.target.channels, self.lanes)

    @property
    def window(self) -> tuple[int, int]:
        """Rows of the window, as many columns, and its padding."""
        return KERNEL, 1

    @property
    def rows_at_once(self) -> int:
        """Rows that are made one with the other, of which strips have all or none."""
        return 1

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        taps = self.window[0] ** 2
        return self.target.pixels * self.target.channels * self.source.planes * taps

    @property
    def multiplies(self) -> int:
        """The multiply-adds that it takes."""
        return self.macs


@dataclass(frozen=True)
class SizedFirstConvolution(FirstConvolution):
    """The same with a window of `kernel` rows and columns, padded by `padding`."""

    kernel: int = 7
    padding: int = 3

    @property
    def window(self) -> tuple[int, int]:
        """Rows of the window, as many columns, and its padding."""
        return self.kernel, self.padding


def emit(name: str, work: FirstConvolution, tensors: Tensors) -> None:
    """Write the blocks of the stage: data [images, planes, height, width], weight, bias, out."""
    target, vectors, total = work.target, work.vectors, f"{name}_sum"
    data, weight, bias, out = (tensors[key] for key in ("data", "weight", "bias", "out"))
    axes = {"r": target.rows, "x": target.width, "v": vectors.count, "l": work.lanes}
    source, (kernel, padding) = work.source, work.window
    taps = {"p": source.planes, "kh": kernel, "kw": kernel}
    sums = scratch(total, tuple(axes.values()), work.dtype)
    with block(total, axes, reduce=taps) as (r, x, v, lane, p, kh, kw):
        image, y = target.image_and_row(r)
        row = y * work.stride + kh - padding
        column = x * work.stride + kw - padding
        inside = T.And(
            T.And(row >= 0, row < source.height), T.And(column >= 0, column < source.width)
        )
        pixel = T.cast(data[image, p, row, column], work.dtype)
        value = T.if_then_else(inside, pixel, zero(work.dtype))
        with T.init():
            T.buffer_store(sums, bias[vectors.start(v) + lane], [r, x, v, lane])
        T.buffer_store(
            sums, sums[r, x, v, lane] + value * weight[p, kh, kw, v, lane], [r, x, v, lane]
        )
    with block(name, axes) as (r, x, v, lane):
        channel = vectors.start(v) + lane
        value = activate(sums[r, x, v, lane], work.activation, work.dtype)
        store(out, value, target.at(r, x, channel))


def weight_shapes(work: FirstConvolution) -> dict[str, tuple[int, ...]]:
    """The constants of the stage and their packed shapes."""
    kernel, _ = work.window
    weight = (work.source.planes, kernel, kernel, work.vectors.count, work.lanes)
    return {"weight": weight, "bias": (work.target.channels,)}


def weight_dtype(work: FirstConvolution) -> str:
    """The type of the constants."""
    return work.target.dtype


def pack(work: FirstConvolution, weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """[channels, planes, height, width] as read: [plane, kh, kw, vector, lane]; the bias stays."""
    ordered = weight.transpose(1, 2, 3, 0)[..., work.vectors.indices()]
    packed = np.ascontiguousarray(ordered.reshape(weight_shapes(work)["weight"]))
    return {"weight": packed, "bias": bias}


def nest(sch: s_tir.Schedule, name: str, work: FirstConvolution, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    strip, row, sums = tiled(sch, name, tile)
    *_, x, v, lane, p, kh, kw = sch.get_loops(sums)
    sch.reorder(p, kh, kw, x, v, lane)
    sch.unroll(kw)
    keep_in_registers(sch, x, v, lane)
    return Nest((strip,), sums, p, rows=Rows(p, kh, f"{name}_sum_update"), row=row)


def tiles_that_fit(work: FirstConvolution, machine: Machine) -> list[tuple[int, int]]:
    """Every (columns, vectors) whose sums, weights and one broadcast fit the registers."""
    return product_tiles(work.vectors.count, work.target.width, machine)


def hand_tiles(work: FirstConvolution, machine: Machine, strip_rows: int) -> list[Tile]:
    """Those whose sums fill at most half the registers, the one with fewest loads first.

    The values of a row under the window stay in registers too, three for every other column. Where
    a multiply-add takes nothing from memory, weights count with the sums; else one more may be.
    """
    half = machine.registers // 2
    held, most = (0, half + 1) if machine.memory_operands else (1, half)

    def cost(tile: tuple[int, int]) -> float:
        columns, vectors = tile
        blocks = -(-work.target.width // columns) * work.vectors.count / vectors
        load = columns * machine.load_cycles(1) + vectors * machine.load_cycles(work.lanes)
        multiply = columns * vectors * machine.fma_cycles(work.lanes)
        return blocks * (max(multiply, load, machine.fma_latency) + load / 4 + 1)

    fitting = tiles_that_fit(work, machine)
    roomy = [(x, v) for x, v in fitting if (x + held) * v <= most]
    return [Tile(strip_rows, *tile) for tile in sorted(roomy or fitting, key=cost)]
