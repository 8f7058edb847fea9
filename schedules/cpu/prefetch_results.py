"""Fetching what a step of a strip will write, while it makes rows that it keeps to itself.

    for step of a strip:
        for row, tile:                               # of a ring, which stays in the nearest caches
            for k: sum += data[k] * weight[k]
                   fetch a line of out[rows of the step]
        ...
        out[rows of the step] = ...

A store to a line that is in no near cache waits for it as a load would, and what an inference
writes has left the caches by the next. Who makes rows of a ring reads and writes what is near, and
has the time to fetch. Measured on Zen 4, in turns: with one thread the second kernel of ShuffleNet
1.0x in 3 groups takes 234 us for 240, and the first of MobileNet 1.0 1209 for 1223, which is 0.1 to
0.4 % of both networks; with two threads they take as long, or ShuffleNet up to 0.4 % less.
"""

from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np
from tvm import s_tir, tirx
from tvm.tirx import PrimFunc
from tvm_ffi import structural_walk

from schedules.cpu.fetching_steps import Steps, steps_changed, steps_in
from schedules.cpu.kernel import Kernel
from schedules.cpu.prefetch import count, fetch, parameter
from schedules.cpu.statements import loops_changed, with_body
from schedules.cpu.strips import nests_of
from schedules.frame import Frame
from schedules.machine import LINE


@dataclass(frozen=True)
class _Rows:
    """Rows of a tensor from an index on, and the lines that these have."""

    buffer: Any
    first: tuple[Any, ...]
    lines: int

    def fetch(self, byte: Any) -> Any:
        """The statement that fetches the line of such a byte of the rows."""
        *outer, last = self.first
        size = np.dtype(str(self.buffer.dtype)).itemsize
        return fetch(self.buffer, [*outer, last + tirx.truncdiv(byte, size)])


def results_ahead(function: PrimFunc, kernel: Kernel, rows: int) -> PrimFunc:
    """The function of a kernel whose strips go by steps of so many rows, fetching its results.

    Its last nest is that over strips, which ends with that over steps. Results of which a step has
    more lines than it has steps of multiply-adds to fetch them are not fetched.
    """
    strip = nests_of([function])[-1]
    step = strip.body.seq[-1]
    row = (strip.loop_var * int(step.extent) + step.loop_var) * rows
    written = [_rows(function, kernel, name, row, rows) for name in kernel.outputs]
    total = sum(steps.count for steps in steps_in(step.body) if _keeps(steps, kernel))
    fetched = [one for one in written if one.lines <= total]
    done = 0

    def fetching(steps: Steps) -> Any:
        nonlocal done
        if not fetched or not _keeps(steps, kernel):
            return steps.loop
        before, done = done, done + steps.count
        endings = []
        for one in fetched:
            begin, end = (steps_done * one.lines // total for steps_done in (before, done))
            if end > begin:
                line = steps.line(count(steps.around), steps.tiles, end - begin)
                endings.append(one.fetch(begin * LINE + line))
        return with_body(steps.loop, tirx.SeqStmt([steps.loop.body, *endings]))

    made = with_body(step, steps_changed(step.body, fetching))
    changed = loops_changed(function.body, lambda loop, _: made if loop.same_as(step) else None)
    return function.with_body(changed)


def _rows(function: PrimFunc, kernel: Kernel, name: str, row: Any, rows: int) -> _Rows:
    """So many rows of a result, from one on; rows follow each other in memory."""
    frame = kernel.frames[name]
    if not isinstance(frame, Frame):
        raise TypeError(f"{name} is no frame")
    of_a_row = prod(frame.shape[1:]) * np.dtype(frame.dtype).itemsize
    return _Rows(parameter(function, name), frame.at(row, 0, 0), ceil(rows * of_a_row / LINE))


def _keeps(steps: Steps, kernel: Kernel) -> bool:
    """Whether steps are of a stage whose result nobody outside the kernel reads."""
    names: list[str] = []
    structural_walk(steps.loop.body, (s_tir.SBlock, lambda block: names.append(block.name_hint)))
    kept = tuple(f"{stage.name}_" for stage in kernel.stages if stage.writes in kernel.scratch)
    return any(name.startswith(kept) for name in names)
