"""Scaling every channel by a gate, as squeeze-and-excitation does, with the epilogue of its unit.

for item in (pixels, vectors of channels), dealt out to blocks and threads:
    out[pixel, v] = relu(data[pixel, v] * gate[image, v] + residual[pixel, v])
"""

from dataclasses import dataclass

from tvm.script.ir_builder import tirx as T
from tvm.tirx import PrimFunc

from schedules.activation import activate
from schedules.cuda.block import grid, vector, when_all, width
from schedules.frame import Frame
from schedules.gpu import Gpu
from schedules.program import prim_func, tensor


@dataclass(frozen=True)
class Scale:
    """Each channel of an image times its gate, to the channels of `target` from `offset` on."""

    source: Frame
    target: Frame
    offset: int = 0
    residual: bool = False
    activation: str = "none"
    macs: int = 0

    @property
    def lanes(self) -> int:
        """Channels of one access."""
        return width(self.source.channels, self.target.channels, self.offset)


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    threads: int


def inputs(work: Scale) -> dict[str, tuple[int, ...]]:
    """The activations that are read, by role."""
    source = work.source
    shapes = {
        "data": (source.pixels, source.channels),
        "gate": (source.images, source.channels),
    }
    if work.residual:
        shapes["residual"] = (work.target.pixels, work.target.channels)
    return dict(shapes)


def constants(work: Scale) -> dict[str, tuple[int, ...]]:
    """A scale has none."""
    return {}


def outputs(work: Scale) -> dict[str, tuple[int, ...]]:
    """The activations that are written, by role."""
    return {"out": (work.target.pixels, work.target.channels)}


def program(work: Scale, tile: Tile) -> PrimFunc:
    """The kernel."""
    source, lanes = work.source, work.lanes
    each = source.height * source.width
    vectors = source.channels // lanes
    count = source.pixels * vectors
    with prim_func("main") as builder:
        shapes = {**inputs(work), **outputs(work)}
        tensors = {name: tensor(name, shape) for name, shape in shapes.items()}
        with grid(-(-count // tile.threads), 1, tile.threads) as block:
            item = block.tile * tile.threads + block.thread
            pixel, first = item // vectors, item % vectors * lanes
            known = [item < count] if count % tile.threads else []
            with when_all(known), vector(lanes) as lane:
                channel = first + lane
                value = tensors["data"][pixel, channel] * tensors["gate"][pixel // each, channel]
                if work.residual:
                    value = value + tensors["residual"][pixel, channel]
                value = activate(value, work.activation)
                T.buffer_store(tensors["out"], value, [pixel, work.offset + channel])
    return builder.get()


def tiles_that_fit(work: Scale, gpu: Gpu) -> list[Tile]:
    """Whole warps."""
    return [Tile(threads) for threads in (64, 128, 256, 512)]


def hand_tile(work: Scale, gpu: Gpu) -> Tile:
    """Small blocks spread a small tensor over more multiprocessors."""
    return Tile(128)
