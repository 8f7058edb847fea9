"""Loops over multiply-adds whose steps have the time to fetch, and what each of them fetches.

    for strip, vector_block, tile:
        for k:                                       # a step of many multiply-adds
            sum[columns, vectors] += data[k] * weight[vector_block, k]
            fetch a line of something else

Schedules mark such loops; what they fetch is known when a kernel, or a network, is put together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING, Any

from tvm import DataType, s_tir, tirx

from schedules.cpu.statements import loops_changed
from schedules.machine import LINE

if TYPE_CHECKING:
    from schedules.cpu.prefetch import Panel

# Steps from which on they stay a loop, and multiply-adds from which on one has time for a fetch.
# Measured on Zen 4: with fetches in 7 steps of 1200 multiply-adds a unit takes 8 % longer, in steps
# of 48 and 96 it takes 3 %. On Zen 3, whose steps have 96, ShuffleNet 1.0x in 3 groups takes 3 to
# 5 % longer so, and MobileNet 1.0 13 % with two threads; with some lines before each tile, in place
# of one a step, up to 3 %.
FEWEST_STEPS, FEWEST_MACS = 24, 128
# The annotation of a loop whose steps may fetch: the multiply-adds of one.
MARK = "multiply_adds"


@dataclass(frozen=True)
class Steps:
    """A loop over steps that may fetch, and the loops around it."""

    loop: Any
    around: tuple[Any, ...]

    @property
    def tiles(self) -> int:
        """How often the loop runs."""
        return prod(int(loop.extent) for loop in self.around)

    @property
    def count(self) -> int:
        """Steps in all."""
        return self.tiles * int(self.loop.extent)

    @property
    def macs(self) -> int:
        """The multiply-adds of a step."""
        return int(self.loop.annotations[MARK])

    def line(self, tile: Any, tiles: int, lines: int) -> Any:
        """The byte at which the line of a step of the `tile` begins, of so many `lines`.

        Each of so many `tiles` fetches its share, and some of what comes after it: steps are a
        power of two of bytes apart, and none has to stop where the share ends. Measured on a Xeon
        of 2 MB a core, in turns, MobileNet 1.0 takes 3 % less than where tiles fetch exactly their
        share, and ShuffleNet 1.0x in 3 groups 1 %. Where there are more steps than lines the same
        is fetched again; where there are fewer, lines are left out.
        """
        share, steps = ceil(lines / tiles), int(self.loop.extent)
        a_step = ceil(share * LINE / steps)
        if a_step < LINE:
            a_step = 1 << (a_step - 1).bit_length()
        ahead = self.loop.loop_var * a_step
        reach = (steps - 1) * a_step // LINE + 1
        if reach > lines:
            reach, ahead = lines, tirx.Min(ahead, (lines - 1) * LINE)
        return tirx.Min(tile * share, lines - reach) * LINE + ahead


def mark(sch: s_tir.Schedule, sums: Any, panel: "Panel") -> None:
    """Say of the loop over the steps of a block of sums that it may fetch, if it has the time."""
    steps = panel.steps[-1]
    loops = sch.get_loops(sums)
    variable = sch.get(steps).loop_var
    (at,) = (n for n, loop in enumerate(loops) if sch.get(loop).loop_var.same_as(variable))
    macs = prod(int(sch.get(loop).extent) for loop in loops[at + 1 :])
    if panel.macs is None:
        (written,) = sch.get(sums).writes
        macs *= int(DataType(str(written.source.dtype)).lanes)
    else:
        macs *= panel.macs
    if int(sch.get(steps).extent) >= FEWEST_STEPS and macs >= FEWEST_MACS:
        sch.annotate(steps, MARK, macs)


def mark_turns(sch: s_tir.Schedule, turns: Any, around: Sequence[Any], macs: int) -> None:
    """Say the same of a loop over tiles, which with those around it makes so many multiply-adds."""
    each = macs // prod(int(sch.get(loop).extent) for loop in (turns, *around))
    if each >= FEWEST_MACS:
        sch.annotate(turns, MARK, each)


def steps_in(body: Any) -> list[Steps]:
    """Every marked loop of a statement, in order."""
    found: list[Steps] = []

    def see(steps: Steps) -> Any:
        found.append(steps)
        return steps.loop

    steps_changed(body, see)
    return found


def steps_changed(body: Any, change: Callable[[Steps], Any]) -> Any:
    """The statement with every marked loop changed."""

    def marked(loop: Any, around: tuple[Any, ...]) -> Any:
        return change(Steps(loop, around)) if MARK in loop.annotations else None

    return loops_changed(body, marked)
