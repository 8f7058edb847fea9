"""Averaging an image to a given number of pixels on a CPU, as before dense layers.

    for strip in parallel:                           # strip_rows rows of output pixels
        for row, column, vector_block:
            sum[vectors x lanes] = 0                 # lives in registers
            for kh, kw:                              # up to the largest window
                sum[v] += data[first row + kh, first column + kw, v] if inside the window
            out[row, column, v] = sum[v] / pixels of the window

Output pixel i of n averages the pixels from floor(i size / n) to ceil((i + 1) size / n), so windows
differ in size and may overlap. It is a tiny part of any network.
"""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.cpu.channel_sums import (
    ChannelSums,
    Tile,
    hand_tiles,
    tiles_that_fit,
    weight_shapes,
)
from schedules.cpu.moves import Nest
from schedules.frame import Frame
from schedules.program import Tensors, block, scratch, store, zero

__all__ = [
    "NESTS",
    "AdaptivePool",
    "Tile",
    "emit",
    "hand_tiles",
    "nest",
    "tiles_that_fit",
    "weight_shapes",
]

NESTS = 2


@dataclass(frozen=True)
class AdaptivePool(ChannelSums):
    """The averages that make an image of the size of `target`."""

    source: Frame
    target: Frame
    lanes: int
    macs: int = 0


def emit(name: str, work: AdaptivePool, tensors: Tensors) -> None:
    """Write the blocks of the stage: data and out."""
    data, out = tensors["data"], tensors["out"]
    source, target, vectors, total = work.source, work.target, work.vectors, f"{name}_sum"
    axes = {"r": target.rows, "x": target.width, "v": vectors.count, "l": work.lanes}
    window = {
        "kh": _largest(source.height, target.height),
        "kw": _largest(source.width, target.width),
    }
    sums = scratch(total, tuple(axes.values()))
    with block(total, axes, reduce=window) as (r, x, v, lane, kh, kw):
        top, rows = _window(r % target.height, source.height, target.height)
        left, columns = _window(x, source.width, target.width)
        image = r // target.height * source.height
        at = source.at(image + top + kh, left + kw, vectors.start(v) + lane)
        value = T.cast(data[at], work.dtype)
        inside = T.And(kh < rows, kw < columns)
        with T.init():
            T.buffer_store(sums, zero(), [r, x, v, lane])
        value = T.if_then_else(inside, value, zero())
        T.buffer_store(sums, sums[r, x, v, lane] + value, [r, x, v, lane])
    with block(name, axes) as (r, x, v, lane):
        _, rows = _window(r % target.height, source.height, target.height)
        _, columns = _window(x, source.width, target.width)
        mean = sums[r, x, v, lane] / T.cast(rows * columns, "float32")
        store(out, mean, target.at(r, x, vectors.start(v) + lane))


def _window(index: Any, size: int, count: int) -> tuple[Any, Any]:
    """The first pixel under a window, and how many there are."""
    first = index * size // count
    return first, ((index + 1) * size + count - 1) // count - first


def _largest(size: int, count: int) -> int:
    return max(int(_window(index, size, count)[1]) for index in range(count))


def nest(sch: s_tir.Schedule, name: str, work: AdaptivePool, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    out, sums = sch.get_sblock(name), sch.get_sblock(f"{name}_sum")
    r, _, v, lane = sch.get_loops(out)
    strip, _ = sch.split(r, [None, tile.strip_rows])
    vector_block, vector = sch.split(v, [None, tile.vectors])
    sch.compute_at(sums, vector_block, preserve_unit_loops=True)
    sch.set_scope(sums, 0, "local")
    sch.unroll(vector)
    sch.vectorize(lane)
    *_, v, lane, kh, kw = sch.get_loops(sums)
    sch.reorder(kh, kw, v, lane)
    sch.unroll(v)
    sch.vectorize(lane)
    return Nest((strip,), sums, kh)
