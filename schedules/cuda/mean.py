"""The mean of each channel over an image.

for image, slice in blocks:
    part[split, vector] = sum of data[pixel, vector] over this split's pixels
    out[image, vector] = sum of parts / pixels
"""

from dataclasses import dataclass

from tvm.script.ir_builder import tirx as T
from tvm.tirx import PrimFunc

from schedules.cuda.block import buffer, grid, serial, vector, width
from schedules.cuda.product import largest_divisor
from schedules.frame import Frame
from schedules.gpu import MOST_THREADS, Gpu
from schedules.program import prim_func, tensor, zero


@dataclass(frozen=True)
class Mean:
    """The mean over the pixels of each image."""

    source: Frame
    macs: int = 0

    @property
    def lanes(self) -> int:
        """Channels of one access."""
        return width(self.source.channels)

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


def inputs(work: Mean) -> dict[str, tuple[int, ...]]:
    """The activations that are read, by role."""
    return {"data": (work.source.pixels, work.source.channels)}


def constants(work: Mean) -> dict[str, tuple[int, ...]]:
    """A mean has none."""
    return {}


def outputs(work: Mean) -> dict[str, tuple[int, ...]]:
    """The activations that are written, by role."""
    return {"out": (work.source.images, work.source.channels)}


def program(work: Mean, tile: Tile) -> PrimFunc:
    """The kernel."""
    source, lanes = work.source, work.lanes
    each = source.height * source.width
    with prim_func("main") as builder:
        data, out = tensor("data", inputs(work)["data"]), tensor("out", outputs(work)["out"])
        with grid(source.images, work.vectors // tile.vectors, tile.threads) as block:
            parts = buffer("part", (tile.splits, tile.vectors * lanes), "shared")
            total = buffer("sum", (lanes,), "local")
            mine, split = block.thread % tile.vectors * lanes, block.thread // tile.vectors
            first = block.slice * tile.vectors * lanes
            with vector(lanes) as lane:
                T.buffer_store(total, zero(), [lane])
            with serial(-(-each // tile.splits), "turn") as turn, vector(lanes) as lane:
                pixel = turn * tile.splits + split
                value = data[block.tile * each + pixel, first + mine + lane]
                if each % tile.splits:
                    value = T.if_then_else(pixel < each, value, zero())
                T.buffer_store(total, total[lane] + value, [lane])
            with vector(lanes) as lane:
                T.buffer_store(parts, total[lane], [split, mine + lane])
            with block.items(tile.vectors) as item, vector(lanes) as lane:
                value = parts[0, item * lanes + lane]
                for number in range(1, tile.splits):
                    value = value + parts[number, item * lanes + lane]
                value = value * T.float32(1 / each)
                T.buffer_store(out, value, [block.tile, first + item * lanes + lane])
    return builder.get()


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
