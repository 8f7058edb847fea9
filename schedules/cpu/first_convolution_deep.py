"""The first convolution of a network whose channels leave half a vector over: 24 are 16 and 8.

    for strip in parallel:                           # strip_rows rows of output pixels
        for row, column_block:
            sum[columns, vectors] = bias             # whole vectors of channels, in registers
            rest[columns, channels x 2] = bias[c], 0, ...
            for plane, kh:
                for kw in unroll(3):
                    sum[x] += image[plane, y, 2 x + kw - 1] * weight[plane, kh, kw]
                for pair in unroll(2):
                    rest[x, c, d] += image[plane, y, 2 (x + pair - 1) + d] * weight[pair, c, d]
            out[row, x] = relu(sum[x]), relu(rest[x, c, 0] + rest[x, c, 1])

A vector of the 8 alone would be half empty, or would compute 8 others twice. Here it takes two taps
at once: with one to their left, of weight 0, the three of a row are two pairs, each at an even
column, so that an image of even width has all of a pair or nothing of it. That is five
multiply-adds a row and pixel in place of six. Two pixels next to each other end together, as what
is left of both when taps are added up is one vector. Measured with one thread on AVX-512,
ShuffleNet 1.0x in 3 groups takes 0.7 % less.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import s_tir, tirx
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.moves import Nest, partition
from schedules.cpu.prefetch_rows import Rows
from schedules.cpu.window import KERNEL
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch, store, zero

NESTS = 2
STRIDE, DEPTH = 2, 2
# Full vectors of a pixel beside the half. A tile has all vectors of its pixels: of more, 16
# registers hold those of two pixels only, and the share of multiply-adds that is saved is smaller.
MOST_WHOLE = 2


@dataclass(frozen=True)
class FirstConvolutionDeep(FirstConvolution):
    """A dense 3x3 convolution of stride 2, padded by one, of images of even sides in planes."""

    @property
    def whole(self) -> int:
        """Vectors that are full of channels."""
        return self.target.channels // self.lanes

    @property
    def rest(self) -> int:
        """Channels that are left over: half a vector."""
        return self.target.channels % self.lanes


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest; `columns` are pairs of pixels."""

    strip_rows: int
    columns: int


def suits(work: FirstConvolution) -> bool:
    """Whether a 3x3 convolution, padded by one, leaves half a vector over beside few full ones, and
    no edge of the image cuts a pair of taps in two."""
    even = work.source.width % STRIDE == 0 and work.target.width % 2 == 0
    whole, rest = divmod(work.target.channels, work.lanes)
    return work.stride == STRIDE and even and 1 <= whole <= MOST_WHOLE and rest * 2 == work.lanes


def emit(name: str, work: FirstConvolutionDeep, tensors: Tensors) -> None:
    """Write the blocks of the stage: data [images, planes, height, width], weight, bias, out."""
    target, lanes, total = work.target, work.lanes, f"{name}_sum"
    data, weight, bias, out = (tensors[key] for key in ("data", "weight", "bias", "out"))
    axes = {"r": target.rows, "x": target.width, "v": work.whole + 1}
    taps = {"p": work.source.planes, "kh": KERNEL, "kw": KERNEL}
    sums = scratch(total, tuple(axes.values()), f"{work.dtype}x{lanes}")
    every = T.ramp(0, 1, lanes)
    with block(total, axes, reduce=taps) as (r, x, v, p, kh, kw):
        with T.init():
            T.buffer_store(sums, bias[v, every], [r, x, v])
        in_rest = v == work.whole
        value = T.if_then_else(
            in_rest, _pair(work, data, r, x, p, kh, kw), tap(work, data, r, x, p, kh, kw)
        )
        so_far = sums[r, x, v]
        more = so_far + value * weight[p, kh, kw, v, every]
        T.buffer_store(sums, T.if_then_else(T.And(in_rest, kw >= DEPTH), so_far, more), [r, x, v])
    with block(name, {"r": target.rows, "x": target.width // 2}) as (r, pair):
        pixels = [pair * 2, pair * 2 + 1]
        for x in pixels:
            for v in range(work.whole):
                _finish(work, out, r, x, v * lanes, sums[r, x, v], lanes)
        ends = [sums[r, x, work.whole] for x in pixels]
        even, odd = (tirx.Shuffle(ends, list(range(at, 2 * lanes, DEPTH))) for at in (0, 1))
        both = even + odd
        for x, first in zip(pixels, (0, work.rest), strict=True):
            own = tirx.Shuffle([both], list(range(first, first + work.rest)))
            _finish(work, out, r, x, work.whole * lanes, own, work.rest)


def tap(work: FirstConvolution, data: Any, r: Any, x: Any, *tap: Any) -> Any:
    """A value of the image, for every lane."""
    p, kh, kw = tap
    column = x * STRIDE + kw - 1
    image, row, inside = _row(work, r, kh)
    inside = T.And(inside, T.And(column >= 0, column < work.source.width))
    value = T.if_then_else(inside, data[image, p, row, column], zero(work.dtype))
    return T.broadcast(value, work.lanes)


def _pair(work: FirstConvolution, data: Any, r: Any, x: Any, *tap: Any) -> Any:
    """Two neighbours, again and again."""
    p, kh, kw = tap
    column = (x + kw - 1) * STRIDE
    image, row, inside = _row(work, r, kh)
    inside = T.And(inside, T.And(column >= 0, column < work.source.width))
    two = data[image, p, row, T.ramp(column, 1, DEPTH)]
    value = tirx.Shuffle([two] * (work.lanes // DEPTH), list(range(work.lanes)))
    return T.if_then_else(inside, value, T.broadcast(zero(work.dtype), work.lanes))


def _row(work: FirstConvolution, r: Any, kh: Any) -> tuple[Any, Any, Any]:
    """The image and its row under a row of windows, and whether there is one."""
    image, y = work.target.image_and_row(r)
    row = y * STRIDE + kh - 1
    return image, row, T.And(row >= 0, row < work.source.height)


def _finish(  # noqa: PLR0913 - what and where
    work: FirstConvolution, out: Any, r: Any, x: Any, channel: int, value: Any, lanes: int
) -> None:
    done = activate(value, work.activation, work.dtype, lanes)
    store(out, done, work.target.at(r, x, T.ramp(channel, 1, lanes)), lanes)


def weight_shapes(work: FirstConvolutionDeep) -> dict[str, tuple[int, ...]]:
    """The constants of the stage and their packed shapes."""
    vectors = (work.whole + 1, work.lanes)
    return {"weight": (work.source.planes, KERNEL, KERNEL, *vectors), "bias": vectors}


def weight_dtype(work: FirstConvolutionDeep) -> str:
    """The type of the constants."""
    return work.target.dtype


def pack(work: FirstConvolutionDeep, weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """[channels, planes, height, width] as read: [plane, kh, kw, vector, lane], [vector, lane].

    Of the last vector kw counts pairs, and lanes are channels x 2; the first lane of each of its
    channels has the bias.
    """
    packed = {name: np.zeros(shape, weight.dtype) for name, shape in weight_shapes(work).items()}
    taps = weight.transpose(1, 2, 3, 0)
    full = work.whole * work.lanes
    packed["weight"][..., :-1, :] = taps[..., :full].reshape(*taps.shape[:3], work.whole, -1)
    last = packed["weight"][..., -1, :].reshape(*taps.shape[:3], work.rest, DEPTH)
    for place in range(KERNEL):
        pair, lane = divmod(place + 1, DEPTH)
        last[:, :, pair, :, lane] = taps[:, :, place, full:]
    packed["weight"][..., -1, :] = last.reshape(*taps.shape[:3], work.lanes)
    packed["bias"][:-1] = bias[:full].reshape(work.whole, -1)
    packed["bias"][-1, ::DEPTH] = bias[full:]
    return packed


def nest(sch: s_tir.Schedule, name: str, work: FirstConvolutionDeep, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    out, sums = sch.get_sblock(name), sch.get_sblock(f"{name}_sum")
    r, x = sch.get_loops(out)
    strip, row = sch.split(r, [None, tile.strip_rows])
    column_block, column = sch.split(x, [None, tile.columns])
    sch.reorder(strip, row, column_block, column)
    sch.compute_at(sums, column_block, preserve_unit_loops=True)
    sch.set_scope(sums, 0, "local")
    partition(sch, column_block)
    sch.unroll(column)
    *_, x, v, p, kh, kw = sch.get_loops(sums)
    # Taps before pairs: out of these the compiler would take taps, by shuffles on the ports of the
    # multiply-adds.
    sch.reorder(p, kh, v, kw, x)
    for loop in (v, kw, x):
        sch.unroll(loop)
    rows = Rows(p, kh, f"{name}_sum_update")
    return Nest((strip,), sums, p, vectorized=False, rows=rows, row=row)


def tiles_that_fit(work: FirstConvolutionDeep, machine: Machine) -> list[tuple[int]]:
    """Every number of pairs whose sums, weights of a tap and one value fit the registers."""
    vectors = work.whole + 1
    most = (machine.registers - vectors - 1) // vectors // 2
    return [(pairs,) for pairs in range(1, min(most, work.target.width // 2) + 1)]


def hand_tiles(work: FirstConvolutionDeep, machine: Machine, strip_rows: int) -> list[Tile]:
    """The widest whose sums fill at most half the registers first.

    The values of a row under the windows stay in registers too.
    """
    vectors, half = work.whole + 1, machine.registers // 2
    fitting = tiles_that_fit(work, machine)
    roomy = [pairs for (pairs,) in fitting if 2 * pairs * vectors <= half]
    return [Tile(strip_rows, pairs) for pairs in sorted(roomy or [fitting[0][0]], reverse=True)]
