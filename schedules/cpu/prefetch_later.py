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

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from tvm import tirx
from tvm.tirx import PrimFunc

from schedules.cpu.fetching_steps import MARK, Steps, steps_changed, steps_in
from schedules.cpu.phases import Phase, Phases
from schedules.cpu.prefetch import count, fetch
from schedules.cpu.statements import with_body
from schedules.machine import LINE

# Bytes for each multiply-add, 15 GB/s beside 59 GMAC/s, and bytes a step at most. The later a line
# is fetched, the less of what is read before it leaves the second-level cache for it: with half of
# both, kernels of ShuffleNet fetch a classifier's weights from 14 x 14 pixels on, each of which
# takes 0.5 % longer, and in 3 groups the network 0.3 to 0.6 %; with one group, and MobileNet 1.0,
# take as long.
PACE, MOST = 1 / 4, LINE


@dataclass(frozen=True)
class _Halves:
    """What is fetched: the byte from which on the first half of the turns does, and by how much
    that of the other half comes after it."""

    buffer: Any
    first: Any
    apart: Any


def room(made: Phases) -> int:
    """Bytes that phases have time to fetch."""
    steps = [one for phase in made.phases for one in steps_in(phase.function.body)]
    return int(sum(one.count * min(PACE * one.macs, MOST) for one in steps))


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
    total = sum(steps.count for phase in made.phases for steps in steps_in(phase.function.body))
    done = 0

    def fetching(steps: Steps) -> Any:
        nonlocal done
        first = done * lines // total
        done += steps.count
        return _with_fetches(steps, halves, first, done * lines // total - first)

    number = len(made.parameters) + len(made.scratch)
    phases = [
        _with_places(phase, halves, number, fetching) if steps_in(phase.function.body) else phase
        for phase in made.phases
    ]
    return replace(made, phases=tuple(phases))


def _with_places(
    phase: Phase, halves: _Halves, number: int, fetching: Callable[[Steps], Any]
) -> Phase:
    """The phase, its marked loops changed, with where it fetches."""
    *places, core, cores = phase.function.params
    place = tirx.Var("later_place", halves.buffer.data.ty)
    body = steps_changed(phase.function.body, fetching)
    body = tirx.SeqStmt([tirx.DeclBuffer(halves.buffer, data=place), body])
    parameters = [*places, place, halves.first, halves.apart, core, cores]
    function = PrimFunc(parameters, body, attrs=phase.function.attrs)
    return Phase(function, (*phase.tensors, number, number + 1, number + 2))


def _with_fetches(steps: Steps, halves: _Halves, first: int, lines: int) -> Any:
    """The loop fetching so many lines from one on, of both halves. Tiles are counted such that
    those of a core follow each other."""
    loop = steps.loop
    kept = {key: value for key, value in loop.annotations.items() if key != MARK}
    if not lines:
        return with_body(loop, loop.body, kept)
    tiles = ceil(steps.tiles / 2)
    tile = count(sorted(steps.around, key=lambda one: one.kind != tirx.ForKind.PARALLEL))
    # Of a condition the compiler would make two loops over tiles.
    half = halves.first + tirx.truncdiv(tile, tiles) * halves.apart
    line = first * LINE + steps.line(tirx.truncmod(tile, tiles), tiles, lines)
    ending = fetch(halves.buffer, [half + line])
    return with_body(loop, tirx.SeqStmt([loop.body, ending]), kept)
