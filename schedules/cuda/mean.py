"""The mean of each channel over an image.

for image, slice in blocks:
    part[split, vector] = sum of data[pixel, vector] over this split's pixels
    out[image, vector] = sum of parts / pixels
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from tvm.script.ir_builder import tirx as T
from tvm.tirx import PrimFunc

from schedules.cuda.block import grid, in_turn, select
from schedules.cuda.loops import serial
from schedules.cuda.product import largest_divisor
from schedules.cuda.vectors import (
    buffer,
    channel_at,
    lane_of,
    lanewise,
    place_at,
    quads,
    read,
    width,
    write,
)
from schedules.frame import Frame
from schedules.gpu import MOST_THREADS, Gpu
from schedules.program import TensorType, prim_func, tensor, zero


@dataclass(frozen=True)
class Mean:
    """The mean over the pixels of each image, summed in float32 and stored as `result`."""

    source: Frame
    result: str = "float32"
    macs: int = 0

    @property
    def dtype(self) -> str:
        """The type of what is read."""
        return self.source.dtype

    @property
    def lanes(self) -> int:
        """Channels of one access."""
        return width(self.dtype, self.source.channels)

    @property
    def stored(self) -> int:
        """Channels of one access to the result."""
        return width(self.result, self.lanes)

    @property
    def vectors(self) -> int:
        """Accesses to all channels of a pixel."""
        return self.source.channels // self.lanes


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest: `vectors` a block, and `splits` of the pixels."""

    vectors: int
    splits: int

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.vectors * self.splits


def inputs(work: Mean) -> dict[str, TensorType]:
    """The activations that are read, by role."""
    return {"data": TensorType((work.source.pixels, work.source.channels), work.dtype)}


def constants(work: Mean) -> dict[str, TensorType]:
    """A mean has none."""
    return {}


def outputs(work: Mean) -> dict[str, TensorType]:
    """The activations that are written, by role."""
    return {"out": TensorType((work.source.images, work.source.channels), work.result)}


def program(work: Mean, tile: Tile) -> PrimFunc:
    """The kernel."""
    source, lanes, dtype = work.source, work.lanes, work.dtype
    each = source.height * source.width
    with prim_func("main") as builder:
        types = inputs(work) | outputs(work)
        data, out = (tensor(name, one.shape, one.dtype) for name, one in types.items())
        with grid(source.images, work.vectors // tile.vectors, tile.threads) as block, in_turn():
            parts = buffer("part", (tile.splits, tile.vectors * lanes), "shared")
            total = buffer("sum", (lanes,), "local")
            mine, split = block.thread % tile.vectors * lanes, block.thread // tile.vectors
            first = block.slice * tile.vectors * lanes
            with quads(lanes) as lane:
                T.buffer_store(total, zero(), [lane])
            with serial(-(-each // tile.splits), "turn") as turn:
                pixel = turn * tile.splits + split
                known = [pixel < each] if each % tile.splits else []
                row = partial(channel_at, data, block.tile * each + pixel, first + mine)
                value = read("data", lanes, dtype, lambda lane: select(known, row(lane)))
                with lanewise(lanes, dtype) as lane:
                    T.buffer_store(total, total[lane] + value(lane), [lane])
            with quads(lanes) as lane:
                T.buffer_store(parts, total[lane], [split, mine + lane])
            with block.items(tile.vectors) as item:
                _divide(parts, total, tile.splits, (item * lanes, each))
                begin = first + item * lanes
                for start in range(0, lanes, work.stored):
                    write(
                        out, work.stored, partial(lane_of, total, start),
                        partial(place_at, block.tile, begin + start),
                    )  # fmt: skip
    return builder.get()


def _divide(parts: Any, total: Any, splits: int, place: tuple[Any, int]) -> None:
    """The mean of all splits, in registers."""
    first, each = place
    with quads(int(total.shape[0])) as lane:
        value = parts[0, first + lane]
        for number in range(1, splits):
            value = value + parts[number, first + lane]
        T.buffer_store(total, value * T.float32(1 / each), [lane])


def tiles_that_fit(work: Mean, gpu: Gpu) -> list[Tile]:
    """Whole slices of the channels with no more threads than a block may have."""
    return [
        Tile(vectors, splits)
        for vectors in range(1, work.vectors + 1)
        for splits in (1, 2, 4, 7, 8, 16, 32)
        if work.vectors % vectors == 0
        and splits <= work.source.height * work.source.width
        and vectors * splits <= MOST_THREADS // 4
    ]


def hand_tile(work: Mean, gpu: Gpu) -> Tile:
    """Eight neighbouring vectors are a line of the cache; the splits hide the latency of loads."""
    vectors = largest_divisor(work.vectors, 8)
    fitting = [tile for tile in tiles_that_fit(work, gpu) if tile.vectors == vectors]
    return max(fitting, key=lambda tile: tile.splits)
