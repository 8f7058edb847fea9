"""The zeros left and right of the rows that a strip makes for itself.

    for strip in parallel:
        for row, edge: out[row, left or right columns] = 0

The rows above and below an image are among those that the strip makes, so it writes zeros there.
"""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.cpu.border import Border, Tile, hand_tiles, tiles_that_fit, weight_shapes
from schedules.cpu.moves import Nest
from schedules.program import Tensors, block, zero

__all__ = [
    "NESTS",
    "Edges",
    "Tile",
    "emit",
    "hand_tiles",
    "nest",
    "tiles_that_fit",
    "weight_shapes",
]

NESTS = 1


@dataclass(frozen=True)
class Edges(Border):
    """Zeros in the left and right border of `target`, one image, in the rows of every strip."""


def emit(name: str, work: Edges, tensors: Tensors) -> None:
    """Write the block of the stage; the only tensor is out."""
    frame, border = work.target, work.target.border
    axes = {"r": frame.rows, "e": 2, "b": border, "c": frame.channels}
    with block(name, axes) as (r, e, b, c):
        column = e * (frame.width + border) + b - border
        T.buffer_store(tensors["out"], zero(frame.dtype), list(frame.at(r, column, c)))


def nest(sch: s_tir.Schedule, name: str, work: Edges, tile: Any) -> Nest:
    """A loop over strips; the rest is left to the compiler."""
    strip, row = sch.split(sch.get_loops(sch.get_sblock(name))[0], [None, tile.strip_rows])
    return Nest((strip,), row=row)
