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
from schedules.cpu.halo import Halo
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

    halo: Halo | None = None


def emit(name: str, work: Edges, tensors: Tensors) -> None:
    """Write the block of the stage; the only tensor is out. ValueError without a halo."""
    if work.halo is None:
        raise ValueError(f"{name}: no strips whose edges could be filled")
    frame, border = work.target, work.target.border
    axes = {"r": work.halo.made, "e": 2, "b": border, "c": frame.channels}
    with block(name, axes) as (r, e, b, c):
        row = work.halo.row(r) + border
        T.buffer_store(tensors["out"], zero(frame.dtype), [row, e * (frame.width + border) + b, c])


def nest(sch: s_tir.Schedule, name: str, work: Edges, tile: Any) -> Nest:
    """A loop over strips; the rest is left to the compiler."""
    strip, _ = sch.split(sch.get_loops(sch.get_sblock(name))[0], [None, tile.strip_rows])
    return Nest((strip,))
