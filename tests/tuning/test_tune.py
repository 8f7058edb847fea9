"""Tuning from end to end: what becomes a record, and what a build makes of it."""

from pathlib import Path

import pytest
import torch
from filelock import FileLock
from torch import nn

from pipeline.build import Lowered, build, lower
from pipeline.errors import RequestError, WorkFailedError
from pipeline.models import Model
from pipeline.records import Record, describe_work, read_records, write_records
from pipeline.targets import Target, host
from pipeline.tune.bench import Bench
from pipeline.tune.space import StageSpace
from pipeline.tuning import Budget, Progress, tune
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.pointwise import Pointwise
from schedules.frame import Frame
from tests.tuning.conftest import lowered, pointwise


def journal_of(logs: Path, target: Target) -> Path:
    return logs / f"{target.family}.journal.jsonl"


def test_a_build_uses_what_was_tuned(tmp_path: Path, seed: int) -> None:
    target = host()
    module = nn.Sequential(
        nn.Conv2d(3, 12, 3, 2, 1), nn.ReLU(), nn.Conv2d(12, 24, 1, groups=3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10),
    ).eval()  # fmt: skip
    model = Model("tiny", module, torch.rand(1, 3, 8, 10), 0, 0, None)
    summary = tune([lower(model, target)], target, tmp_path, Budget(trials=2), seed)
    assert summary.failed == 0
    assert all(record.seconds <= (record.hand_seconds or 0) for record in summary.tuned)
    sources = build(model, target, read_records(tmp_path, target.family)).schedule_sources
    assert sources["tuned"] > 0
    assert sources["hand"] == sources["default"] == 0


def test_a_layer_of_one_channel_or_prime_sizes_is_tuned(
    target: Target, tmp_path: Path, seed: int
) -> None:
    one = pointwise(target, 1, (1, 1), (7, 13))
    single = Depthwise(Frame(1, 5, 7, 1, 1), Frame(1, 5, 7, 1), 1, 1)
    prime = pointwise(target, 1, (17, 23), (1, 1))
    layers = lowered(one, single, prime)
    summary = tune([layers], target, tmp_path, Budget(trials=2), seed)
    assert summary.failed == 0
    assert len(summary.tuned) == 6


def test_an_interrupted_run_leaves_records_and_the_next_one_goes_on(
    layer: Lowered, target: Target, tmp_path: Path, seed: int
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.trials == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune([layer], target, tmp_path, Budget(trials=6), seed, interrupt)
    (record,) = read_records(tmp_path, target.family).by_key.values()
    assert record.trials == 3

    told: list[Progress] = []
    summary = tune([layer], target, tmp_path, Budget(trials=6), seed, told.append)
    assert (told[0].trials, told[0].total) == (4, 6)
    strips = sum(progress.index == 2 for progress in told)
    assert summary.measured == 3 + strips
    records = read_records(tmp_path, target.family)
    assert records.stage(layer.kernels[0].stages[0].work) == summary.tuned[0].tile
    assert records.strips(layer.kernels[0]) is not None


def test_a_finished_run_is_not_repeated(
    layer: Lowered, target: Target, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tune([layer], target, tmp_path, Budget(trials=2), seed)
    monkeypatch.setattr(Bench, "open", lambda *_: pytest.fail("measures again"))
    with journal_of(tmp_path, target).open("a") as file:
        file.write('{"task": "5')
    again = tune([layer], target, tmp_path, Budget(trials=2), seed)
    assert (again.measured, again.tuned) == (0, first.tuned)


def test_a_budget_of_time_measures_each_hand_tile_and_keeps_other_records(
    layer: Lowered, target: Target, tmp_path: Path, seed: int
) -> None:
    other = pointwise(target, 1, (3, 8), (3, 3))
    record = Record(describe_work(other), {"columns": 1, "vectors": 1}, 1.0, 2.0, 1, 0, "1", "cpu")
    write_records(tmp_path, target.family, "1", [record])
    summary = tune([layer], target, tmp_path, Budget(seconds=0.001), seed)
    assert summary.measured == summary.tasks == 2
    records = read_records(tmp_path, target.family)
    assert records.stage(other) == record.tile
    assert records.stage(layer.kernels[0].stages[0].work) is not None


def test_two_runs_exclude_each_other(layer: Lowered, target: Target, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / f"{target.family}.lock"),
        pytest.raises(RequestError, match="another run"),
    ):
        tune([layer], target, tmp_path, Budget(trials=1))


def test_a_schedule_that_computes_something_else_never_wins(
    layer: Lowered, target: Target, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, target, lambda space, tile: tile != space.hand)
    summary = tune([layer], target, tmp_path, Budget(trials=3), seed)
    stage = summary.tuned[0]
    assert (stage.trials, stage.failed) == (3, 2)
    work = layer.kernels[0].stages[0].work
    assert stage.tile == StageSpace(layer.kernels[0], target.machine).hand
    assert isinstance(work, Pointwise)
    assert "wrong output: relative error" in journal_of(tmp_path, target).read_text()


def test_a_task_without_a_valid_candidate_fails_with_its_cause(
    layer: Lowered, target: Target, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, target, lambda *_: True)
    with pytest.raises(WorkFailedError, match=r"none of 2 candidates .* wrong output"):
        tune([layer], target, tmp_path, Budget(trials=2), seed)
    assert not read_records(tmp_path, target.family).by_key


def plant(monkeypatch: pytest.MonkeyPatch, target: Target, wrong) -> None:  # type: ignore[no-untyped-def]
    """Have the tiles for which `wrong` is true computed without their activation."""
    right = StageSpace.schedule

    def schedule(space: StageSpace, tile: dict[str, int]):  # type: ignore[no-untyped-def]
        if not wrong(space, tile):
            return right(space, tile)
        work = pointwise(target, 3, (5, 20), (4, 5))
        bare = Pointwise(**{**vars(work), "activation": "none"})
        return right(StageSpace(lowered(bare).kernels[0], target.machine), tile)

    monkeypatch.setattr(StageSpace, "schedule", schedule)
