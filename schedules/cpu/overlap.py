"""Kernels in which a 3x3 window reads what an earlier stage makes: their strips overlap.

    first convolution, rows -1 .. R      of every strip of R rows: the rows under its windows
    depthwise, rows 0 .. R - 1
    pointwise, rows 0 .. R - 1

and where another window reads that, all of these make the rows under it. The frames between them
are never whole in memory.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from schedules.cpu.depthwise import Depthwise
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.halo import WINDOW, Halo, Reread, Ring, rows_apart
from schedules.cpu.pool import Pool
from schedules.cpu.row_pool import RowPool
from schedules.frame import Frame

WINDOWS = (Depthwise, Pool, RowPool)
# Rows of the result that are made at a time.
STEP_ROWS = 2

# What a role's frame is called in a workload.
_FIELDS = {"data": "source", "residual": "residual", "gate": "gate"}


def windows(stages: Sequence[Any], scratch: Sequence[str]) -> dict[str, int]:
    """The tensors of the kernel's own that its windows read, with the windows' stride."""
    return {
        name: stage.work.stride
        for stage in stages
        if type(stage.work) in WINDOWS
        for role, name in stage.reads
        if role == "data" and name in scratch
    }


def overlapping(
    stages: Sequence[Any], scratch: Sequence[str], strip_rows: int, steps: int | None = None
) -> tuple[Any, ...]:
    """The stages, with rings for the frames whose rows each strip makes for itself.

    A ring keeps what is read while one of so many steps is made, or all rows without steps.
    """
    halos = _halos(stages, scratch, strip_rows, steps)
    frames = {
        stage.writes: _ring(stage.work.target, halos[stage.writes], steps)
        for stage in stages
        if stage.writes in halos
    }
    return tuple(replace(stage, work=_over(stage, frames)) for stage in stages)


def _ring(frame: Frame, halo: Halo, steps: int | None) -> Ring:
    apart = 0 if steps is None else rows_apart(frame)
    return Ring(**vars(frame), halo=replace(halo, apart=apart))


def _halos(
    stages: Sequence[Any], scratch: Sequence[str], strip_rows: int, steps: int | None
) -> dict[str, Halo]:
    """The rows of each tensor that a strip makes for itself: what windows and their data need."""
    strips = stages[-1].work.target.rows // strip_rows
    together = {stage.writes: rows_at_once(stage) for stage in stages}
    whole = Halo(strip_rows, strip_rows, strips, 0, strip_rows)
    halos: dict[str, Halo] = {}
    for stage in reversed(stages):
        own = halos.get(stage.writes, whole)
        data = dict(stage.reads).get("data")
        if data is None or data not in scratch:
            continue
        # Rows that are made at a time: in each step, and before the first.
        each = max(own.step // (steps or 1), own.rows - own.step)
        if type(stage.work) in WINDOWS:
            stride = stage.work.stride
            rows, live = _under(own.rows, stride), _under(each, stride)
            made = Halo(rows, own.step * stride, strips, own.first * stride - 1, 0)
            made = _together(made, together[data])
            live += 2 * (together[data] - 1)
            made = replace(made, kept=made.rows if steps is None else live)
        elif stage.writes in halos:
            made = replace(own, kept=own.rows if steps is None else each)
        else:
            continue
        if halos.setdefault(data, made) != made:
            raise ValueError(f"{data} is read by windows that reach different rows")
    return halos


def _together(halo: Halo, count: int) -> Halo:
    """The rows of a strip and those that are made together with its first and its last."""
    above = halo.first % count
    below = -(above + halo.rows) % count
    return replace(
        halo, rows=above + halo.rows + below, first=halo.first - above, above=above, below=below
    )


def rows_at_once(stage: Any) -> int:
    """Rows that a stage makes one with the other, of which strips have all or none."""
    return stage.work.rows_at_once if isinstance(stage.work, FirstConvolution) else 1


def _under(rows: int, stride: int) -> int:
    """The rows under the windows of so many."""
    return (rows - 1) * stride + WINDOW


def _over(stage: Any, frames: dict[str, Ring]) -> Any:
    """The work of a stage on rings in place of frames."""
    changed: dict[str, Frame] = {
        _FIELDS[role]: frames[name]
        for role, name in stage.reads
        if name in frames and role in _FIELDS
    }
    if stage.writes in frames:
        changed["target"] = frames[stage.writes]
        whole = getattr(stage.work, "source", None)
        if "source" not in changed and type(stage.work) not in WINDOWS and isinstance(whole, Frame):
            changed["source"] = Reread(**vars(whole), halo=frames[stage.writes].halo)
    return replace(stage.work, **changed)


def steps_of(strip_rows: int) -> int:
    """In how many steps of equal rows a strip is made."""
    step = max(rows for rows in range(1, STEP_ROWS + 1) if strip_rows % rows == 0)
    return strip_rows // step


def divided(stage: Any, strip_rows: int, steps: int) -> bool:
    """Whether each step of a strip has all or none of the rows that a stage makes together."""
    own = halo_of(stage)
    rows = strip_rows if own is None else own.step
    return rows % (steps * rows_at_once(stage)) == 0


def halo_of(stage: Any) -> Halo | None:
    """The rows that a stage makes in each strip, if not those of the strip alone."""
    target = stage.work.target
    return target.halo if isinstance(target, Ring) else None


def rows_first(stage: Any) -> int | None:
    """How often a stage under a window makes rows before the first step, beside those of steps."""
    own = halo_of(stage)
    return None if own is None else (own.rows - own.step) // rows_at_once(stage)


def strip_tile(stage: Any, tile: Any) -> Any:
    """A stage's tile in the rows that the stage makes in a strip."""
    own = halo_of(stage)
    return tile if own is None else replace(tile, strip_rows=own.rows)
