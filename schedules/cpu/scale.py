"""Scaling every channel by a gate, as squeeze-and-excitation does, with the epilogue of its unit.

    for strip in parallel:                           # strip_rows rows of pixels
        for row, column, vector:
            out[row, column, v] = relu(data[row, column, v] * gate[image, v] + residual[..., v])

It reads and writes every value once and is bound by the cache that holds them.
"""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir

from schedules.activation import activate
from schedules.cpu.moves import Nest
from schedules.frame import Frame
from schedules.machine import Machine
from schedules.program import Tensors, block, store
from schedules.vectors import Vectors

NESTS = 1


@dataclass(frozen=True)
class Scale:
    """Each channel of an image times its gate, to the channels of `target` from `offset` on."""

    source: Frame
    gate: Frame
    target: Frame
    lanes: int
    offset: int = 0
    residual: Frame | None = None
    activation: str = "none"

    @property
    def dtype(self) -> str:
        """Of its arithmetic."""
        return self.source.dtype

    @property
    def vectors(self) -> Vectors:
        """The channels as vectors."""
        return Vectors(self.source.channels, self.lanes)

    @property
    def macs(self) -> int:
        """Multiply-adds; a convolution counter counts none for a product."""
        return 0


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    strip_rows: int
    vectors: int


def emit(name: str, work: Scale, tensors: Tensors) -> None:
    """Write the block of the stage: data, gate [images, 1, channels], residual, out."""
    source, vectors = work.source, work.vectors
    axes = {"r": source.rows, "x": source.width, "v": vectors.count, "l": work.lanes}
    with block(name, axes) as (r, x, v, lane):
        channel = vectors.start(v) + lane
        gate = tensors["gate"][work.gate.at(r // source.height, 0, channel)]
        value = tensors["data"][source.at(r, x, channel)] * gate
        at = work.target.at(r, x, work.offset + channel)
        if work.residual is not None:
            value = value + tensors["residual"][work.residual.at(r, x, channel)]
        store(tensors["out"], activate(value, work.activation, work.dtype), at)


def weight_shapes(work: Scale) -> dict[str, tuple[int, ...]]:
    """A scale has no constants."""
    return {}


def nest(sch: s_tir.Schedule, name: str, work: Scale, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    r, _, v, lane = sch.get_loops(sch.get_sblock(name))
    strip, row = sch.split(r, [None, tile.strip_rows])
    _, vector = sch.split(v, [None, tile.vectors])
    sch.unroll(vector)
    sch.vectorize(lane)
    return Nest((strip,), row=row)


def tiles_that_fit(work: Scale, machine: Machine) -> list[tuple[int]]:
    """Every number of vectors that divides the channels and leaves registers free."""
    return [
        (vectors,)
        for vectors in range(1, machine.registers // 4 + 1)
        if work.vectors.count % vectors == 0
    ]


def hand_tiles(work: Scale, machine: Machine, strip_rows: int) -> list[Tile]:
    """As many vectors at once as the registers allow, to spare the loop."""
    fitting = sorted(tiles_that_fit(work, machine), reverse=True)
    return [Tile(strip_rows, vectors) for (vectors,) in fitting]
