"""The candidates, and the order in which they are measured."""

from dataclasses import replace
from typing import Any

import pytest

from pipeline.records import Record, canonical, describe_work
from pipeline.targets import Target
from pipeline.tasks import Task, alone, tasks_of
from pipeline.tune.entries import Candidate, Outcome, Trial
from pipeline.tune.ranking import Ranking
from pipeline.tune.search import BATCH, FINALISTS, Outlook, winner
from pipeline.tune.similar import similar_tiles
from pipeline.tune.stage_search import PATIENCE, StageSearch, improves_no_more
from pipeline.tune.stage_space import StageSpace
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.first_convolution_deep import FirstConvolutionDeep
from schedules.cpu.first_convolution_paired import PairedFirstConvolution
from schedules.cpu.kernel import Stage
from schedules.cpu.mean import Mean
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_deep import PointwiseDeep
from schedules.cpu.pointwise_uneven import PointwiseUneven
from schedules.cpu.pool import Pool
from schedules.cpu.row_pool import RowPool
from schedules.cpu.scale import Scale
from schedules.frame import Frame, Planes
from schedules.machine import Machine
from tests.tuning.conftest import lowered, pointwise

MACHINES = [
    Machine("avx512", 16, 32, 32, 32, 32768, 1 << 20, 2),
    Machine("avx2", 8, 16, 16, 16, 32768, 1 << 19, 4),
    Machine("neon", 4, 32, 8, 8, 65536, 1 << 19, 4),
]
NARROW, WIDE = Frame(1, 14, 14, 60), Frame(1, 14, 14, 240)
HALF = Frame(1, 14, 14, 12)
BORDERED, PIXEL = Frame(1, 28, 28, 60, 1), Frame(1, 1, 1, 240)


def works(machine: Machine) -> list[Any]:
    lanes, wide = machine.lanes_for(60), machine.lanes_for(240)
    return [
        Pointwise(NARROW, WIDE, 3, 20, 80, machine.lanes_for(80), 3, residual=WIDE),
        Depthwise(BORDERED, NARROW, 2, lanes),
        FirstConvolution(Planes(1, 3, 28, 28), NARROW, 2, lanes),
        FirstConvolutionDeep(Planes(1, 3, 28, 28), HALF, 2, 8),
        PairedFirstConvolution(Planes(1, 3, 32, 32), Frame(1, 16, 16, 60), 2, lanes, columns=2),
        RowPool(Frame(1, 27, 14, 60), NARROW, "max", 2, lanes),
        Pool(BORDERED, WIDE, "average", 2, lanes, 180),
        PointwiseDeep(NARROW, NARROW, 3, 20, 20, 16, 4, 2, 4),
        PointwiseUneven(NARROW, NARROW, 3, 20, 20, 0, 8, 8),
        Mean(WIDE, PIXEL, wide),
        Scale(WIDE, PIXEL, WIDE, wide, residual=WIDE),
        Pointwise(Frame(1, 7, 13, 1), Frame(1, 7, 13, 1), 1, 1, 1, 1),
    ]


CASES = [(machine, work) for machine in MACHINES for work in works(machine)]


def space(work: Any, machine: Machine) -> StageSpace:
    roles = ("data", "residual", "gate")
    fields = {"data": "source", "residual": "residual", "gate": "gate"}
    reads = tuple((role, role) for role in roles if getattr(work, fields[role], None) is not None)
    return StageSpace(alone(Stage("stage", work, reads, "out")), machine)


@pytest.mark.parametrize(
    ("machine", "work"), CASES, ids=[f"{m.name}-{type(w).__name__}-{w.lanes}" for m, w in CASES]
)
def test_every_candidate_fits_the_registers_and_has_its_tile(machine: Machine, work: Any) -> None:
    candidates = space(work, machine)
    assert candidates.hand in candidates.tiles
    assert len(candidates.tiles) <= 150
    for tile in candidates.tiles:
        vectors = tile.get("vectors", 1)
        assert tile.get("columns", 1) * vectors < machine.registers
        script = candidates.schedule(tile).mod.script()
        assert "T.parallel(" in script
        extents = [int(extent) for extent in _extents(script, "T.unroll")]
        assert vectors in extents or vectors == 1
        assert tile.get("columns", 1) in extents or tile.get("columns", 1) == 1


def _extents(script: str, kind: str) -> list[str]:
    return [line.split(f"{kind}(")[1].split(")")[0] for line in script.splitlines() if kind in line]


def test_a_search_with_a_cost_model_repeats_nothing_and_finds_the_best(
    target: Target, seed: int
) -> None:
    # Its registers leave more tiles than are proposed.
    target = replace(target, machine=MACHINES[0])
    work = pointwise(target, 3, (80, 320), (14, 14))
    candidates = space(work, target.machine)
    similar = candidates.tiles[3]
    foreign = {"columns": 1000, "vectors": 1}
    search = StageSearch(candidates, [(similar, "similar"), (foreign, "record")], seed, Outlook())
    best = max(tile["columns"] * tile["vectors"] for tile in candidates.tiles)
    proposed: list[tuple[dict[str, int], str]] = []
    for turn in range(20):
        known = search.before(turn - 1)
        workload = describe_work(work)
        ranking = None
        if len(known) >= BATCH:
            ranking = Ranking([(workload, known)], workload, seed, candidates.describe)
        for tile, origin in search.batch(24 - len(proposed), known, ranking):
            seconds = 1e-3 / (tile["columns"] * tile["vectors"])
            search.add(Trial(Candidate(len(proposed), turn, "t", tile, origin), Outcome(seconds)))
            proposed.append((tile, origin))
    assert [origin for _, origin in proposed[:2]] == ["hand", "similar"]
    assert {"model", "random"} <= {origin for _, origin in proposed}
    assert len({tuple(tile.items()) for tile, _ in proposed}) == len(proposed) == 24 > BATCH
    assert search.valid[0].tile["columns"] * search.valid[0].tile["vectors"] == best
    assert len(candidates.tiles) > 24
    assert search.rejected == 1


def test_similar_records_become_tiles_that_fit(target: Target) -> None:
    work = pointwise(target, 3, (80, 320), (14, 14))
    candidates = space(work, target.machine)
    near, far = pointwise(target, 4, (68, 272), (14, 14)), pointwise(target, 1, (8, 8), (56, 56))
    wide = {"columns": 300, "vectors": 300}
    records = [
        Record("other", describe_work(far), {"columns": 1, "vectors": 1}, 1, 1, 1, 0, "1", "c"),
        Record("other", describe_work(near), wide, 1, 1, 1, 0, "1", "c"),
    ]
    tiles = [tile for tile, _ in similar_tiles(describe_work(work), candidates, records)]
    assert len(tiles) == 2
    assert all(tile in candidates.tiles for tile in tiles)
    assert tiles[0]["columns"] * tiles[0]["vectors"] > 8
    assert tiles[1] == {"columns": 1, "vectors": 1}


def test_trials_without_a_clear_lead_end_a_task() -> None:
    def trials(*seconds: float) -> list[Trial]:
        return [
            Trial(Candidate(number, number, "t", {"n": number}, "random"), Outcome(value))
            for number, value in enumerate(seconds)
        ]

    assert improves_no_more(trials(1.0, *[1.1] * PATIENCE))
    assert not improves_no_more(trials(1.0, *[1.1] * (PATIENCE - 1)))
    assert not improves_no_more(trials(1.0, *[1.1] * (PATIENCE - 1), 0.9))
    assert improves_no_more(trials(1.0, *[1.1] * (PATIENCE - 1), 0.995))


def test_what_is_on_record_and_then_the_hand_tile_stay_unless_they_are_beaten_clearly() -> None:
    tiles = {"hand": {"columns": 1}, "other": {"columns": 2}, "known": {"columns": 3}}
    holders = ["known", "hand"]
    assert winner({"hand": 1.0, "other": 0.995}, holders, tiles) == ({"columns": 1}, 1.0)
    assert winner({"hand": 1.0, "other": 0.98}, holders, tiles) == ({"columns": 2}, 0.98)
    assert winner({"other": 0.98}, holders, tiles) == ({"columns": 2}, 0.98)
    known = {"hand": 0.995, "other": 1.0, "known": 1.0}
    assert winner(known, holders, tiles) == ({"columns": 3}, 1.0)
    assert winner({**known, "hand": 0.98}, holders, tiles) == ({"columns": 1}, 0.98)


def test_finalists_are_the_fastest_and_those_to_beat(target: Target) -> None:
    (stage, *_) = tasks_of(lowered(pointwise(target, 3, (5, 20), (4, 5))))
    search = StageSearch(StageSpace(stage.kernel, target.machine), (), 0, Outlook())
    for number in range(FINALISTS + 3):
        trial = Candidate(number, 0, "t", {"n": number}, "model"), Outcome(1.0 + number)
        search.add(Trial(*trial))
    last = canonical({"n": FINALISTS + 2})
    found = [trial.tile["n"] for trial in search.finalists([last, canonical({"n": 1})])]
    assert found == [*range(FINALISTS), FINALISTS + 2]


def test_equal_operators_are_one_task_and_the_largest_comes_first(target: Target) -> None:
    small = pointwise(target, 1, (8, 8), (4, 4))
    large = pointwise(target, 1, (64, 64), (4, 4))
    network = lowered(small, large, small)
    tasks = tasks_of(network, network)
    assert [(task.kind, task.calls, task.macs) for task in tasks] == [
        ("stage", 2, large.macs), ("stage", 4, small.macs),
        ("kernel", 2, large.macs), ("kernel", 4, small.macs),
    ]  # fmt: skip
    assert all(isinstance(task, Task) for task in tasks)
