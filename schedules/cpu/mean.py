"""The mean of each channel over an image on a CPU.

    for image, vector_block in parallel:
        sum[vectors x lanes] = 0                     # lives in registers
        for row, column:
            sum[v] += data[row, column, v]
        out[image, v] = sum[v] / pixels

It reads every value once and is bound by the cache that holds them.
"""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.cpu import channel_sums
from schedules.cpu.channel_sums import ChannelSums, Tile, tiles_that_fit, weight_shapes
from schedules.cpu.moves import Nest
from schedules.frame import Frame
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch, store, zero

__all__ = [
    "NESTS",
    "Mean",
    "Tile",
    "emit",
    "hand_tiles",
    "nest",
    "tiles_that_fit",
    "weight_shapes",
]

NESTS = 2


@dataclass(frozen=True)
class Mean(ChannelSums):
    """The mean over the pixels of each image; `target` has one pixel an image."""

    source: Frame
    target: Frame
    lanes: int
    macs: int = 0


def emit(name: str, work: Mean, tensors: Tensors) -> None:
    """Write the blocks of the stage: data and out."""
    data, out = tensors["data"], tensors["out"]
    source, vectors, total = work.source, work.vectors, f"{name}_sum"
    axes = {"r": source.images, "v": vectors.count, "l": work.lanes}
    pixels = {"y": source.height, "x": source.width}
    sums = scratch(total, tuple(axes.values()), work.dtype)
    with block(total, axes, reduce=pixels) as (r, v, lane, y, x):
        at = source.at(r * source.height + y, x, vectors.start(v) + lane)
        value = T.cast(data[at], work.dtype)
        with T.init():
            T.buffer_store(sums, zero(work.dtype), [r, v, lane])
        T.buffer_store(sums, sums[r, v, lane] + value, [r, v, lane])
    with block(name, axes) as (r, v, lane):
        mean = sums[r, v, lane] * T.FloatImm(work.dtype, 1 / (source.height * source.width))
        store(out, mean, work.target.at(r, 0, vectors.start(v) + lane))


def nest(sch: s_tir.Schedule, name: str, work: Mean, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    out, sums = sch.get_sblock(name), sch.get_sblock(f"{name}_sum")
    r, v, lane = sch.get_loops(out)
    strip, image = sch.split(r, [None, tile.strip_rows])
    vector_block, vector = sch.split(v, [None, tile.vectors])
    sch.reorder(strip, vector_block, image, vector, lane)
    sch.compute_at(sums, image, preserve_unit_loops=True)
    sch.set_scope(sums, 0, "local")
    sch.unroll(vector)
    sch.vectorize(lane)
    *_, image, v, lane, y, x = sch.get_loops(sums)
    sch.reorder(y, x, image, v, lane)
    sch.unroll(image)
    sch.unroll(v)
    sch.vectorize(lane)
    return Nest((strip, vector_block), sums, y)


def hand_tiles(work: Mean, machine: Machine, strip_rows: int) -> list[Tile]:
    """The same for one image at a time."""
    return channel_sums.hand_tiles(work, machine, 1)
