"""The candidates of a whole kernel: strips, and one of the best tiles of each stage."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.records import canonical
from pipeline.targets import Target
from pipeline.tile_fields import TileFields
from pipeline.tune.entries import Candidate, Outcome, Trial
from pipeline.tune.kernel_search import KernelSearch
from pipeline.tune.kernel_space import KernelSpace
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.operators import operator
from schedules.cpu.tiles import strip_choices
from tests.tuning.conftest import pointwise

CHOICES = 3


@pytest.fixture
def space(target: Target) -> KernelSpace:
    """Two pointwise convolutions, each with a few tiles."""
    first, second = (pointwise(target, 3, channels, (14, 14)) for channels in ((20, 80), (80, 20)))
    kernel = Kernel(
        (
            Stage("first", first, (("data", "x"),), "between"),
            Stage("second", second, (("data", "between"),), "y"),
        ),
        ("between",),
    )
    return KernelSpace(kernel, target.machine, tuple(map(_tiles(target), (first, second))))


def _tiles(target: Target) -> Callable[[Any], tuple[TileFields, ...]]:
    def of(work: Any) -> tuple[TileFields, ...]:
        fitting = operator(work).tiles_that_fit(work, target.machine)
        return tuple({"columns": c, "vectors": v} for c, v in fitting[:CHOICES])

    return of


def _searched(space: KernelSpace, seconds: Callable[[TileFields], float]) -> KernelSearch:
    """A search to its end, in rounds that see all but the last one until nothing else is left."""
    search = KernelSearch(space, [])
    for turn in itertools.count():
        known = search.before(turn - 1)
        if search.is_over(known):
            known = search.before(turn)
            if search.is_over(known):
                return search
        for tile, origin in search.batch(64, known, None):
            candidate = Candidate(len(search.trials), turn, "t", tile, origin)
            search.expect(candidate)
            search.add(Trial(candidate, Outcome(seconds(tile))))
    raise AssertionError


def test_neighbours_differ_in_one_choice(space: KernelSpace) -> None:
    found = space.neighbours(space.start)
    assert len({canonical(tile) for tile in found}) == len(found)
    cuts = strip_choices(space.kernel, space.machine)
    assert len(found) == len(cuts) - 1 + 2 * (CHOICES - 1)
    for tile in found:
        cut = (tile["strip_rows"], tile["sharing"])
        recut = cut != (space.start["strip_rows"], space.start["sharing"])
        changed = sum(map(_differ, tile["stages"], space.start["stages"]))
        assert recut + changed == 1
        assert space.fits(tile)


def _differ(one: TileFields, other: TileFields) -> bool:
    return one != other


def test_a_search_ends_where_no_change_of_one_choice_is_faster(space: KernelSpace) -> None:
    wanted = space.neighbours(space.start)[0]
    for at, tiles in enumerate(space.stages):
        wanted = {**wanted, "stages": [*wanted["stages"]]}
        wanted["stages"][at] = tiles[-1]

    def seconds(tile: TileFields) -> float:
        apart = sum(map(_differ, tile["stages"], wanted["stages"]))
        return 1e-3 * (1 + apart + (tile["strip_rows"] != wanted["strip_rows"]))

    search = _searched(space, seconds)
    origins = [trial.candidate.origin for trial in search.before(1 << 30)]
    assert origins[:2] == ["hand", "stages"]
    assert set(origins[2:]) == {"neighbour"}
    assert search.valid[0].tile == wanted
    assert len(search.trials) < 60


def test_what_does_not_fit_is_no_candidate(space: KernelSpace) -> None:
    start = space.start
    others = [
        {**start, "strip_rows": 15},
        {**start, "sharing": 1},
        {**start, "stages": start["stages"][:1]},
        {**start, "stages": [{}, *start["stages"][1:]]},
        {**start, "stages": [{"columns": 999, "vectors": 9}, *start["stages"][1:]]},
        {"strip_rows": 7, "sharing": "strips"},
    ]
    search = KernelSearch(space, [(tile, "record") for tile in [start, *others]])
    assert search.rejected == len(others)
    for tile in others:
        assert not search.knows(Candidate(0, 0, "t", tile, "record"))
