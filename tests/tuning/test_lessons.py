"""What other workloads teach of a new one, and that it is measured before the hand tiles."""

from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from pipeline.build import Lowered
from pipeline.records import Record, Records, describe_work, read_records, write_records
from pipeline.targets import Target
from pipeline.tasks import Task, tasks_of
from pipeline.tune.entries import Candidate, Outcome, Trial
from pipeline.tune.lessons import Lesson, outlook
from pipeline.tune.phase import urgency
from pipeline.tune.search import Outlook
from pipeline.tune.stage_space import StageSpace
from pipeline.tune.workshop import Workshop
from pipeline.tuning import Progress, tune
from tests.tuning.conftest import history, lowered, options, pointwise

NARROW = 3e-5


def task(target: Target, groups: int, calls: int = 1) -> Task:
    """A pointwise convolution."""
    network = lowered(*[pointwise(target, groups, (24, 96), (14, 14))] * calls)
    return tasks_of(network)[0]


def space(task: Task, target: Target) -> StageSpace:
    return StageSpace(task.kernel, target.machine)


def seconds(tile: dict[str, int]) -> float:
    """As if one vector at a time were best by far, and few columns better than many."""
    return NARROW * tile["vectors"] + 1e-6 * tile["columns"]


def lesson(task: Task, target: Target) -> Lesson:
    """All tiles of a task with their times."""
    tiles = enumerate(space(task, target).tiles)
    return task.workload, [
        Trial(Candidate(n, n, "t", tile, "random"), Outcome(seconds(tile))) for n, tile in tiles
    ]


def test_the_cost_model_chooses_by_what_another_workload_taught(target: Target, seed: int) -> None:
    new = task(target, 3, calls=2)
    found = outlook(new, space(new, target), [lesson(task(target, 4), target)], [], seed)
    assert found.first is not None
    tile, origin = found.first
    hand = space(new, target).hand
    assert origin == "model"
    assert tile["vectors"] == 1 < hand["vectors"]
    # The tiles of both are the same, so nothing is left to guess.
    best = min(seconds(one) for one in space(new, target).tiles)
    assert seconds(tile) < best * 1.1
    assert found.saving == pytest.approx(2 * (seconds(hand) - best), rel=0.2)


def test_few_trials_teach_nothing(target: Target, seed: int) -> None:
    new = task(target, 3)
    workload, trials = lesson(task(target, 4), target)
    assert outlook(new, space(new, target), [(workload, trials[:7])], [], seed) == Outlook()


def recorded(task: Task, tile: dict[str, Any], lead: float) -> Record:
    """What was found of an operator: a tile of 10 us, and the tile by hand, slower by `lead`."""
    workload = describe_work(task.kernel.stages[0].work)
    return Record("f", workload, tile, 1e-5, 1e-5 * lead, 9, 0, "1", "c")


@pytest.mark.parametrize(("groups", "origin"), [(4, "similar"), (3, "record")])
def test_a_record_promises_the_lead_that_it_had(
    target: Target, seed: int, groups: int, origin: str
) -> None:
    new, other = task(target, 3, calls=3), task(target, groups)
    tile: dict[str, Any] = next(t for t in space(new, target).tiles if t["vectors"] == 1)
    for lead, saving in ((2.0, 3e-5), (1.0, 0.0)):
        found = outlook(new, space(new, target), [], [recorded(other, tile, lead)], seed)
        assert found.first == (tile, origin)
        assert found.saving == pytest.approx(saving)


def test_a_record_of_the_tile_by_hand_promises_nothing(target: Target, seed: int) -> None:
    new = task(target, 3)
    record = recorded(task(target, 4), space(new, target).hand, 2.0)
    assert outlook(new, space(new, target), [], [record], seed) == Outlook()


def test_the_cost_model_is_asked_where_a_record_had_no_lead(target: Target, seed: int) -> None:
    new, other = task(target, 3), task(target, 4)
    hand = space(new, target).hand
    tile = max((one for one in space(new, target).tiles if one != hand), key=seconds)
    known = [lesson(other, target)]
    for lead, origin in ((1.0, "model"), (2.0, "similar")):
        found = outlook(new, space(new, target), known, [recorded(other, tile, lead)], seed)
        assert found.first is not None
        assert found.first[1] == origin


def test_a_record_of_other_vectors_or_a_far_tile_promises_nothing(
    target: Target, seed: int
) -> None:
    new, other = task(target, 3), task(target, 4)
    tiles = space(new, target).tiles
    tile: dict[str, Any] = next(one for one in tiles if one["vectors"] == 1)
    columns = 4 * max(one["columns"] for one in tiles)
    near = recorded(other, tile, 2.0)
    far = replace(near, tile={**tile, "columns": columns})
    narrow = replace(near, workload={**near.workload, "lanes": near.workload["lanes"] // 2})
    assert outlook(new, space(new, target), [], [near], seed).first is not None
    for record in (far, narrow):
        assert outlook(new, space(new, target), [], [record], seed) == Outlook()


def networks(target: Target) -> tuple[Lowered, Lowered]:
    """One to learn from, and one of three operators."""
    teacher = lowered(
        pointwise(target, 3, (8, 80), (4, 20)), pointwise(target, 3, (8, 96), (4, 20))
    )
    sizes = (64, 72, 112)
    return teacher, lowered(*(pointwise(target, 3, (8, size), (4, 20)) for size in sizes))


def test_what_others_taught_is_tried_first_and_hand_tiles_in_their_own_rounds(
    target: Target, tmp_path: Path
) -> None:
    teacher, network = networks(target)
    tune([teacher], target, tmp_path, options(24))
    before = history(tmp_path, target).next_number
    tune([network], target, tmp_path, options(12))
    new = [one.candidate for one in history(tmp_path, target).trials]
    stages = [one for one in new if one.number >= before and "columns" in one.tile]
    assert len({one.task for one in stages}) == 3
    first, second, *_ = sorted({one.round for one in stages})
    taught = [one for one in stages if one.round == first]
    assert {one.origin for one in taught} <= {"similar", "model"}
    assert len({one.task for one in taught}) == len(taught) == 3
    following = [one for one in stages if one.round == second]
    assert len({one.task for one in following}) == 1
    assert [one.origin for one in following].count("hand") == 1 < len(following)
    assert [one.origin for one in stages].count("hand") == 3


def test_a_record_is_tried_before_the_hand_tile_of_its_operator(
    target: Target, tmp_path: Path
) -> None:
    network = lowered(pointwise(target, 3, (8, 80), (4, 20)))
    (one,) = (task for task in tasks_of(network) if task.kind == "stage")
    here = space(one, target)
    tile = next(other for other in here.tiles if other != here.hand)
    tvm = metadata.version("apache-tvm")
    record = replace(recorded(one, tile, 2.0), family=target.family, tvm=tvm)
    write_records(tmp_path, Records(target.family, {record.key: record}))
    tune([network], target, tmp_path, options(2))
    trials = [trial.candidate for trial in history(tmp_path, target).trials]
    stages = [trial for trial in trials if "columns" in trial.tile]
    first, second = sorted(stages, key=lambda trial: trial.number)[:2]
    assert (first.tile, first.origin, second.origin) == (tile, "record", "hand")


def trial(seconds: float | None) -> Trial:
    """A candidate with its time, none if it failed."""
    return Trial(Candidate(0, 0, "t", {}, "random"), Outcome(seconds))


def test_a_round_goes_where_a_network_has_its_time_and_something_is_known() -> None:
    known = [trial(2e-6), trial(3e-6), trial(None)]
    assert urgency(5, known, 4) == pytest.approx(5 * 2e-6 / 4)
    assert urgency(5, [], 4) == 0
    assert urgency(1, [trial(None)], 1) > urgency(1000, known, 1)


def test_every_task_gets_its_hand_tile_however_few_candidates_there_are(
    target: Target, tmp_path: Path
) -> None:
    teacher, network = networks(target)
    tune([teacher], target, tmp_path, options(24))
    summary = tune([network], target, tmp_path, options(1))
    assert all(record.trials >= 1 and record.hand_seconds for record in summary.tuned)


def test_builders_make_way_once_a_round(
    layer: Lowered, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, quiet = [], Workshop.quiet

    def counted(workshop: Workshop):  # type: ignore[no-untyped-def]
        entered.append(workshop)
        return quiet(workshop)

    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(Workshop, "quiet", counted)
    tune([layer], target, tmp_path, options(10))
    trials = history(tmp_path, target).trials
    rounds = {one.candidate.round for one in trials}
    finals = 2
    assert len(entered) == len(rounds) + finals < len(trials)


def test_an_interrupted_run_records_no_operator_whose_hand_tile_was_not_timed(
    target: Target, tmp_path: Path
) -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    teacher, network = networks(target)
    tune([teacher], target, tmp_path, options(24))
    taught = read_records(tmp_path, target.family).by_key
    with pytest.raises(KeyboardInterrupt):
        tune([network], target, tmp_path, options(4), interrupt)
    (measured,) = history(tmp_path, target).trials[-1:]
    assert measured.candidate.origin in {"similar", "model"}
    assert read_records(tmp_path, target.family).by_key == taught
