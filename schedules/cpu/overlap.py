"""Kernels in which a 3x3 window reads what an earlier stage makes: their strips overlap.

    first convolution, rows -1 .. R      of every strip of R rows: the rows under its windows
    depthwise, rows 0 .. R - 1
    pointwise, rows 0 .. R - 1

The frame between them is never whole in memory.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from schedules.cpu.depthwise import Depthwise
from schedules.cpu.halo import halo
from schedules.cpu.pool import Pool

WINDOWS = (Depthwise, Pool)
# Rows of the result that are made at a time.
STEP_ROWS = 2


def windows(stages: Sequence[Any], scratch: Sequence[str]) -> dict[str, int]:
    """The tensors of the kernel's own that its windows read, with the windows' stride."""
    return {
        name: stage.work.stride
        for stage in stages
        if type(stage.work) in WINDOWS
        for role, name in stage.reads
        if role == "data" and name in scratch
    }


def overlapping(stages: Sequence[Any], scratch: Sequence[str], strip_rows: int) -> tuple[Any, ...]:
    """The stages, those under a window with the rows that they make in each strip."""
    under, rows = windows(stages, scratch), stages[-1].work.target.rows
    return tuple(
        replace(stage, work=replace(stage.work, halo=halo(strip_rows, under[stage.writes], rows)))
        if stage.writes in under
        else stage
        for stage in stages
    )


def steps_of(strip_rows: int) -> int:
    """In how many steps of equal rows a strip is made."""
    step = max(rows for rows in range(1, STEP_ROWS + 1) if strip_rows % rows == 0)
    return strip_rows // step


def rows_first(stage: Any) -> int | None:
    """The rows that a stage under a window makes before the first step, beside those of steps."""
    own = getattr(stage.work, "halo", None)
    return None if own is None else own.rows - own.step


def strip_tile(stage: Any, tile: Any) -> Any:
    """A stage's tile in the rows that the stage makes in a strip."""
    own = getattr(stage.work, "halo", None)
    return tile if own is None else replace(tile, strip_rows=own.rows)
