"""Fetching what later kernels read while a kernel multiplies.

    for strip, vector_block, tile:
        for k:                                       # a step of many multiply-adds
            sum[columns, vectors] += data[k] * weight[vector_block, k]
            fetch a line of what is read later

Between two inferences weights lie in DRAM, or in a cache that many cores share. What a kernel
begins with nobody has fetched, and a classifier of one pixel does nothing but wait for weights.
Where every kernel fetches for those after it, measured on Zen 4 of 1 MB a core, inferences one
after the other, ShuffleNet 1.0x in 3 groups takes 1.2 % less, and MobileNet 1.0 0.4 % with one
thread and 1 % with two; next to other networks, which take their share of the caches, 2 % and 0.5.

A first convolution, whose steps are few, fetches a line a tile: measured there with two threads,
0.1 to 0.3 % less in ShuffleNet 1.0x in 3 groups, whose next kernel nobody else fetches for.

A line that is fetched twice costs nothing that could be measured, as long as a step has enough to
multiply; so a step fetches one, the same again where there are more steps than lines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any

from tvm import DataType, s_tir, tirx
from tvm.tirx import PrimFunc

from schedules.cpu.phases import Phase, Phases
from schedules.cpu.prefetch import MARK, Panel, count, fetch
from schedules.cpu.statements import loops_changed, with_body
from schedules.machine import LINE

# Steps from which on they stay a loop, and multiply-adds from which on one has time for a fetch.
# Measured on Zen 4: with fetches in 7 steps of 1200 multiply-adds a unit takes 8 % longer, in steps
# of 48 and 96 it takes 3 %. On Zen 3, whose steps have 96, ShuffleNet 1.0x in 3 groups takes 3 to
# 5 % longer so, and MobileNet 1.0 13 % with two threads; with some lines before each tile, in place
# of one a step, up to 3 %.
FEWEST_STEPS, FEWEST_MACS = 24, 128
# Bytes for each multiply-add, 15 GB/s beside 59 GMAC/s, and bytes a step at most. The later a line
# is fetched, the less of what is read before it leaves the second-level cache for it: with half of
# both, kernels of ShuffleNet fetch a classifier's weights from 14 x 14 pixels on, each of which
# takes 0.5 % longer, and in 3 groups the network 0.3 to 0.6 %; with one group, and MobileNet 1.0,
# take as long.
PACE, MOST = 1 / 4, LINE


@dataclass(frozen=True)
class _Steps:
    """A loop over steps, and the loops around it."""

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
    def room(self) -> float:
        """Bytes that they have time to fetch."""
        return self.count * min(PACE * int(self.loop.annotations[MARK]), MOST)


@dataclass(frozen=True)
class _Halves:
    """What is fetched: the byte from which on the first half of the turns does, and by how much
    that of the other half comes after it."""

    buffer: Any
    first: Any
    apart: Any


def mark(sch: s_tir.Schedule, sums: Any, panel: Panel) -> None:
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


def room(made: Phases) -> int:
    """Bytes that phases have time to fetch."""
    return int(sum(steps.room for phase in made.phases for steps in _marked(phase.function)))


def fetching_later(made: Phases, size: int) -> Phases:
    """The phases fetching `size` bytes, one half in the first turns that cores share and one in the
    others. After all tensors they take the place of all bytes, the first of one half, and by how
    much that of the other comes after it."""
    if not size:
        return made
    lines = ceil(size / LINE / 2)
    halves = _Halves(
        # As long as what is fetched, which lies somewhere among all constants: nothing is loaded.
        tirx.decl_buffer((2 * lines * LINE,), "uint8", name="later"),
        *(tirx.Var(name, "int32") for name in ("first_half", "apart")),
    )
    total = sum(steps.count for phase in made.phases for steps in _marked(phase.function))
    done = 0

    def fetching(steps: _Steps) -> Any:
        nonlocal done
        first = done * lines // total
        done += steps.count
        return _with_fetches(steps, halves, first, done * lines // total - first)

    number = len(made.parameters) + len(made.scratch)
    phases = [
        _with_places(phase, halves, number, fetching) if _marked(phase.function) else phase
        for phase in made.phases
    ]
    return replace(made, phases=tuple(phases))


def _with_places(
    phase: Phase, halves: _Halves, number: int, fetching: Callable[[_Steps], Any]
) -> Phase:
    """The phase, its marked loops changed, with where it fetches."""
    *places, core, cores = phase.function.params
    place = tirx.Var("later_place", halves.buffer.data.ty)
    body = _changed(phase.function.body, fetching)
    body = tirx.SeqStmt([tirx.DeclBuffer(halves.buffer, data=place), body])
    parameters = [*places, place, halves.first, halves.apart, core, cores]
    function = PrimFunc(parameters, body, attrs=phase.function.attrs)
    return Phase(function, (*phase.tensors, number, number + 1, number + 2))


def _marked(function: PrimFunc) -> list[_Steps]:
    found: list[_Steps] = []

    def see(steps: _Steps) -> Any:
        found.append(steps)
        return steps.loop

    _changed(function.body, see)
    return found


def _changed(body: Any, change: Callable[[_Steps], Any]) -> Any:
    """The body with every marked loop changed."""

    def marked(loop: Any, around: tuple[Any, ...]) -> Any:
        return change(_Steps(loop, around)) if MARK in loop.annotations else None

    return loops_changed(body, marked)


def _with_fetches(steps: _Steps, halves: _Halves, first: int, lines: int) -> Any:
    """The loop fetching so many lines from one on, of both halves: each tile its share, which it
    ends with. Tiles are counted such that those of a core follow each other."""
    loop = steps.loop
    kept = {key: value for key, value in loop.annotations.items() if key != MARK}
    if not lines:
        return with_body(loop, loop.body, kept)
    tiles = ceil(steps.tiles / 2)
    share = ceil(lines / tiles)
    tile = count(sorted(steps.around, key=lambda one: one.kind != tirx.ForKind.PARALLEL))
    # Of a condition the compiler would make two loops over tiles.
    half = halves.first + tirx.truncdiv(tile, tiles) * halves.apart
    begin = first + tirx.Min(tirx.truncmod(tile, tiles) * share, lines - share)
    a_step = ceil(share * LINE / int(loop.extent))
    ahead = tirx.Min(loop.loop_var * a_step, (share - 1) * LINE)
    ending = fetch(halves.buffer, [half + begin * LINE + ahead])
    return with_body(loop, tirx.SeqStmt([loop.body, ending]), kept)
