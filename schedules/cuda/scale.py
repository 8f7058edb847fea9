"""Scaling every channel by a gate, as squeeze-and-excitation does, with the epilogue of its unit.

for item in (pixels, vectors of channels), dealt out to blocks and threads:
    out[pixel, v] = relu(data[pixel, v] * gate[image, v] + residual[pixel, v])
"""

from dataclasses import dataclass
from functools import partial

from tvm.script.ir_builder import tirx as T
from tvm.tirx import PrimFunc

from schedules.activation import activate
from schedules.cuda.block import grid, in_turn, when_all
from schedules.cuda.vectors import buffer, channel_at, lanewise, read, width, write
from schedules.frame import Frame
from schedules.gpu import Gpu
from schedules.program import TensorType, prim_func, tensor


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
    def dtype(self) -> str:
        """The type of all tensors."""
        return self.source.dtype

    @property
    def lanes(self) -> int:
        """Channels of one access."""
        return width(self.dtype, self.source.channels, self.target.channels, self.offset)


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    threads: int


def inputs(work: Scale) -> dict[str, TensorType]:
    """The activations that are read, by role."""
    source, dtype = work.source, work.dtype
    types = {
        "data": TensorType((source.pixels, source.channels), dtype),
        "gate": TensorType((source.images, source.channels), dtype),
    }
    if work.residual:
        types["residual"] = _written(work)
    return types


def constants(work: Scale) -> dict[str, TensorType]:
    """A scale has none."""
    return {}


def outputs(work: Scale) -> dict[str, TensorType]:
    """The activations that are written, by role."""
    return {"out": _written(work)}


def _written(work: Scale) -> TensorType:
    return TensorType((work.target.pixels, work.target.channels), work.dtype)


def program(work: Scale, tile: Tile) -> PrimFunc:
    """The kernel."""
    source, lanes, dtype = work.source, work.lanes, work.dtype
    each, vectors = source.height * source.width, source.channels // work.lanes
    count = source.pixels * vectors
    with prim_func("main") as builder:
        types = {**inputs(work), **outputs(work)}
        tensors = {name: tensor(name, one.shape, one.dtype) for name, one in types.items()}
        with grid(-(-count // tile.threads), 1, tile.threads) as block, in_turn():
            item = block.tile * tile.threads + block.thread
            pixel, first = item // vectors, item % vectors * lanes
            rows = {"data": pixel, "gate": pixel // each, "residual": pixel}
            with when_all([item < count] if count % tile.threads else []):
                values = {
                    role: read(
                        role, lanes, dtype, partial(channel_at, tensors[role], rows[role], first)
                    )
                    for role in inputs(work)
                }
                sums = buffer("sum", (lanes,), "local")
                with lanewise(lanes, dtype) as lane:
                    value = values["data"](lane) * values["gate"](lane)
                    if work.residual:
                        value = value + values["residual"](lane)
                    T.buffer_store(sums, activate(value, work.activation), [lane])
                begin = work.offset + first
                write(tensors["out"], lanes, sums.__getitem__, lambda lane: [pixel, begin + lane])
    return builder.get()


def tiles_that_fit(work: Scale, gpu: Gpu) -> list[Tile]:
    """Whole warps."""
    return [Tile(threads) for threads in (64, 128, 256, 512)]


def hand_tile(work: Scale, gpu: Gpu) -> Tile:
    """Small blocks spread a small tensor over more multiprocessors."""
    return Tile(128)
