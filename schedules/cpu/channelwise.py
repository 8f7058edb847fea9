"""What treats each channel alone, as a pass of its own over a tensor.

    for strip in parallel:                           # strip_rows rows of pixels
        for row, column, channel:
            out[row, column, c] = relu(data[row, column, source(c)] * scale[c] + shift[c] + ...)

Batch normalisation that is in no convolution's weights, a ReLU or a sum with a shortcut that is in
no epilogue, a channel shuffle that is in no address. Every value is read and written once, so it is
bound by the cache that holds them; the compiler makes the channels vectors.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import s_tir

from schedules.activation import activate
from schedules.cpu.moves import Nest
from schedules.frame import Frame
from schedules.machine import Machine
from schedules.program import Tensors, block, store

NESTS = 1


@dataclass(frozen=True)
class Channelwise:
    """The channels of `source`, shuffled in so many groups, to those of `target` from `offset` on.

    `scaled` if each has a factor and a summand of its own.
    """

    source: Frame
    target: Frame
    scaled: bool = False
    shuffle: int = 1
    offset: int = 0
    residual: Frame | None = None
    activation: str = "none"

    @property
    def dtype(self) -> str:
        """Of its arithmetic."""
        return self.source.dtype

    @property
    def macs(self) -> int:
        """Multiply-adds; a convolution counter counts none of these."""
        return 0


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    strip_rows: int


def emit(name: str, work: Channelwise, tensors: Tensors) -> None:
    """Write the block of the stage: data, scale and shift [channels], residual, out."""
    source, target = work.source, work.target
    apart = source.channels // work.shuffle
    axes = {"r": source.rows, "x": source.width, "i": apart, "g": work.shuffle}
    with block(name, axes) as (r, x, i, group):
        # Channel i * g + group of the shuffled tensor is channel group * C / g + i of the other.
        channel = i * work.shuffle + group
        value = tensors["data"][source.at(r, x, group * apart + i)]
        if work.scaled:
            value = value * tensors["scale"][channel] + tensors["shift"][channel]
        if work.residual is not None:
            value = value + tensors["residual"][work.residual.at(r, x, channel)]
        at = target.at(r, x, work.offset + channel)
        store(tensors["out"], activate(value, work.activation, work.dtype), at)


def weight_shapes(work: Channelwise) -> dict[str, tuple[int, ...]]:
    """The factor and the summand of every channel, if it has them."""
    shape = (work.source.channels,)
    return {"scale": shape, "shift": shape} if work.scaled else {}


def weight_dtype(work: Channelwise) -> str:
    """The type of the constants."""
    return work.source.dtype


def pack(work: Channelwise, scale: np.ndarray, shift: np.ndarray) -> dict[str, np.ndarray]:
    """As they are."""
    return {"scale": scale, "shift": shift}


def nest(sch: s_tir.Schedule, name: str, work: Channelwise, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file."""
    strip, row = sch.split(sch.get_loops(sch.get_sblock(name))[0], [None, tile.strip_rows])
    return Nest((strip,), row=row)


def tiles_that_fit(work: Channelwise, machine: Machine) -> list[tuple[()]]:
    """The only tile."""
    return [()]


def hand_tiles(work: Channelwise, machine: Machine, strip_rows: int) -> list[Tile]:
    """The only tile."""
    return [Tile(strip_rows)]
