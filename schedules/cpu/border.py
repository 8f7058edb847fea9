"""The border of zeros round every image of a frame.

    for image, edge: out[upper or lower rows, all columns] = 0
    for row, edge:   out[row, left or right columns] = 0

A window then needs no condition: worth it for a convolution, which reads a pixel for each of its
output channels. It is some thousand stores a frame, before the strips.
"""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.cpu.moves import Nest
from schedules.frame import Frame
from schedules.machine import Machine
from schedules.program import Tensors, block, zero

NESTS = 2


@dataclass(frozen=True)
class Border:
    """Zeros in the border of `target`."""

    target: Frame
    macs: int = 0

    @property
    def dtype(self) -> str:
        """Of its zeros."""
        return self.target.dtype


@dataclass(frozen=True)
class Tile:
    """The border has nothing to choose."""

    strip_rows: int


def emit(name: str, work: Border, tensors: Tensors) -> None:
    """Write the blocks of the stage; the only tensor is out."""
    out, frame, border = tensors["out"], work.target, work.target.border
    (rows, columns, _), channels = frame.shape, frame.channels
    # From an image's first row and column to the border on the other side.
    height, width = frame.height + border, frame.width + border
    row_axes = {"i": frame.images, "e": 2, "b": border, "x": columns, "c": channels}
    with block(f"{name}_rows", row_axes) as (i, e, b, x, c):
        T.buffer_store(out, zero(frame.dtype), [i * (height + border) + e * height + b, x, c])
    with block(f"{name}_columns", {"r": rows, "e": 2, "b": border, "c": channels}) as (r, e, b, c):
        T.buffer_store(out, zero(frame.dtype), [r, e * width + b, c])


def weight_shapes(work: Border) -> dict[str, tuple[int, ...]]:
    """A border has no constants."""
    return {}


def nest(sch: s_tir.Schedule, name: str, work: Border, tile: Any) -> Nest:
    """Leave both nests to the compiler, which makes the channels vectors."""
    outer = [sch.get_loops(sch.get_sblock(f"{name}_{part}"))[0] for part in ("rows", "columns")]
    return Nest(tuple(outer))


def tiles_that_fit(work: Border, machine: Machine) -> list[tuple[()]]:
    """The only tile."""
    return [()]


def hand_tiles(work: Border, machine: Machine, strip_rows: int) -> list[Tile]:
    """The only tile."""
    return [Tile(strip_rows)]
