"""Fetching what the next strip reads and writes of tensors that no near cache holds.

    for strip in parallel:
        depthwise(strip)
        for tile:
            for k: sum += data[k] * weight[k]
                   fetch a line of residual[rows of the next strip], one of out[the same rows]

A tile reads a few pixels of some channels, and of a residual once: what a core fetches by itself
ends where those do, and multiply-adds wait for the rest. A pool is nothing but waiting then. The
last strip of a core fetches its own rows again, as the next ones are of another core, which would
wait to have them back.

Measured on Zen 4 of 1 MB a core, in turns, for an image of 480 x 640: ShuffleNet 1.0x in 3 groups
takes 6 % less with one thread and 4 % with two, and MobileNet 1.0 1 to 2 % less. For one of
224 x 224, where few tensors are that large, both take as long as before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np
from tvm import tirx

from schedules.cpu.fetching_steps import Steps, steps_changed, steps_in
from schedules.cpu.kernel import Kernel
from schedules.cpu.overlap import WINDOWS
from schedules.cpu.prefetch import LATER, count, fetch
from schedules.cpu.prefetch_windows import FAR_BYTES
from schedules.cpu.statements import with_body
from schedules.frame import Frame
from schedules.machine import LINE


@dataclass(frozen=True)
class StripRows:
    """So many rows of a tensor for each strip, of which the first come so many rows later."""

    rows: int
    later: int = 0


def far_rows(kernel: Kernel, rows: int) -> dict[str, StripRows]:
    """What strips of so many rows add to what the strip before them had, by name of the tensor.

    It is of those tensors that others make or read, and that are far.
    """
    found: dict[str, StripRows] = {}
    for stage in kernel.stages:
        for role, name in (*stage.reads, ("out", stage.writes)):
            frame = kernel.frames[name]
            if name in kernel.scratch or name in found or not _is_far(frame):
                continue
            window = role == "data" and isinstance(stage.work, WINDOWS)
            found[name] = _under_windows(stage.work, rows) if window else StripRows(rows)
    return found


def _is_far(frame: Any) -> bool:
    return isinstance(frame, Frame) and not frame.border and frame.bytes > FAR_BYTES


def _under_windows(work: Any, rows: int) -> StripRows:
    """What the windows of a strip read that those of the strip before it did not."""
    kernel, padding = work.window
    return StripRows(rows * work.stride, kernel - padding - work.stride)


def next_strip_ahead(nest: Any, far: Mapping[Any, StripRows], last: Any) -> Any:
    """The loop over strips, in which each fetches what the next adds, and the `last` its own.

    The last loops over multiply-adds do it that have as many steps as there are lines. Of a tensor
    with more lines than all of them have steps nothing is fetched.
    """
    loops = steps_in(nest.body)
    lines = {tensor: _lines(tensor, own.rows) for tensor, own in far.items()}
    lines = {one: own for one, own in lines.items() if own <= sum(loop.count for loop in loops)}
    if not lines:
        return nest
    fetching = _last(loops, max(lines.values()))
    total = sum(loop.count for loop in fetching)
    following = tirx.Min(nest.loop_var + 1, last)
    done = 0

    def ended(steps: Steps) -> Any:
        nonlocal done
        if not any(steps.loop.same_as(one.loop) for one in fetching):
            return steps.loop
        before, done = done, done + steps.count
        endings = []
        for tensor, own in far.items():
            begin, end = (at * lines.get(tensor, 0) // total for at in (before, done))
            if end > begin:
                row = following * own.rows + own.later
                place = [row, *[0] * (len(tensor.shape) - 2), _place(tensor, steps, begin, end)]
                endings.append(fetch(tensor, place, LATER))
        return with_body(steps.loop, tirx.SeqStmt([steps.loop.body, *endings]))

    return with_body(nest, steps_changed(nest.body, ended))


def _last(loops: Sequence[Steps], steps: int) -> list[Steps]:
    """The last loops that have so many steps."""
    chosen: list[Steps] = []
    for loop in reversed(loops):
        if sum(one.count for one in chosen) < steps:
            chosen.append(loop)
    return chosen


def _place(tensor: Any, steps: Steps, begin: int, end: int) -> Any:
    """The element from which on a step fetches, of the lines from `begin` to `end`.

    To end exactly with the share of a tile would take some instructions more a step.
    """
    line = LINE // _size(tensor)
    share = ceil((end - begin) / steps.tiles)
    tile = tirx.Min(count(steps.around) * share, end - begin - share) + begin
    return tile * line + steps.loop.loop_var * ceil(share * line / int(steps.loop.extent))


def _lines(tensor: Any, rows: int) -> int:
    return ceil(rows * prod(int(extent) for extent in tensor.shape[1:]) * _size(tensor) / LINE)


def _size(tensor: Any) -> int:
    return np.dtype(str(tensor.dtype)).itemsize
