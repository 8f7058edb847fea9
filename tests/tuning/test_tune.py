"""Tuning from end to end: what becomes a record, and what a build makes of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from torch import nn

from pipeline.build import Lowered, build, lower
from pipeline.errors import RequestError
from pipeline.models import Model
from pipeline.records import Record, Records, describe_work, read_records, write_records
from pipeline.targets import Target, host
from pipeline.tune import stage_search
from pipeline.tune.devices import DevicePool
from pipeline.tune.in_network import NEAR
from pipeline.tune.journal import Journal
from pipeline.tune.search import LEAD
from pipeline.tuning import Budget, Options, Progress, tune
from schedules.cpu.depthwise import Depthwise
from schedules.frame import Frame
from tests.tuning.conftest import history, journal, lowered, options, pointwise
from tests.tuning.simulated_worker import simulated_seconds


def test_a_build_uses_what_was_tuned(tmp_path: Path, seed: int) -> None:
    target = host()
    module = nn.Sequential(
        nn.Conv2d(3, 12, 3, 2, 1), nn.ReLU(), nn.Conv2d(12, 24, 1, groups=3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10),
    ).eval()  # fmt: skip
    model = Model("tiny", module, torch.rand(1, 3, 8, 10), 0, 0, None)
    wanted = Options(Budget(trials=2), seed=seed, network_seconds=0.2)
    summary = tune([lower(model, target)], target, tmp_path, wanted)
    again = tune([lower(model, target)], target, tmp_path, wanted)
    assert (again.tally.measured, again.tuned) == (0, summary.tuned)
    assert summary.tally.failed == 0
    assert all(record.seconds <= (record.hand_seconds or 0) * NEAR for record in summary.tuned)
    sources = build(model, target, read_records(tmp_path, target.family)).schedule_sources
    assert sources["tuned"] > 0
    assert sources["hand"] == sources["default"] == 0


def test_a_layer_of_one_channel_or_prime_sizes_is_tuned(
    target: Target, tmp_path: Path, seed: int
) -> None:
    one = pointwise(target, 1, (1, 1), (7, 13))
    single = Depthwise(Frame(1, 5, 7, 1, 1), Frame(1, 5, 7, 1), 1, 1)
    prime = pointwise(target, 1, (17, 23), (1, 1))
    summary = tune([lowered(one, single, prime)], target, tmp_path, options(2))
    assert summary.tally.failed == 0
    assert len(summary.tuned) == 6


def test_an_interrupted_run_leaves_records_and_the_next_one_goes_on(
    layer: Lowered, target: Target, tmp_path: Path
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.trials == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune([layer], target, tmp_path, options(6), interrupt)
    (record,) = read_records(tmp_path, target.family).by_key.values()
    assert record.trials == 3

    told: list[Progress] = []
    summary = tune([layer], target, tmp_path, options(6), told.append)
    assert (told[0].trials, told[0].total) == (4, 6)
    kernels = {one.trials for one in told if one.kind == "kernel"}
    assert summary.tally.measured == 3 + len(kernels)
    known = history(tmp_path, target)
    assert len({(trial.candidate.task, trial.key) for trial in known.trials}) == len(known.trials)
    records = read_records(tmp_path, target.family)
    assert records.stage(layer.kernels[0].stages[0].work) == summary.tuned[0].tile
    assert records.kernel(layer.kernels[0]) is not None


def test_a_finished_run_is_not_repeated_and_a_larger_one_goes_on(
    layer: Lowered, target: Target, tmp_path: Path
) -> None:
    first = tune([layer], target, tmp_path, options(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DevicePool, "run", lambda *_: pytest.fail("measures again"))
        again = tune([layer], target, tmp_path, options(2))
    assert (again.tally.measured, again.tuned) == (0, first.tuned)
    told: list[Progress] = []
    more = tune([layer], target, tmp_path, options(5), told.append)
    assert (more.tuned[0].trials, told[0].trials) == (5, 3)


def test_what_is_new_is_measured_after_a_run_of_more_candidates(
    target: Target, tmp_path: Path
) -> None:
    known, new = pointwise(target, 3, (20, 80), (7, 7)), pointwise(target, 1, (8, 16), (3, 3))
    tune([lowered(known)], target, tmp_path, options(8))
    summary = tune([lowered(known, new)], target, tmp_path, options(2))
    assert summary.tally.measured == 2
    assert [one.trials for one in summary.tuned if one.trials == 1] == [1, 1]


def test_a_budget_of_time_measures_each_hand_tile_and_keeps_other_records(
    layer: Lowered, target: Target, tmp_path: Path
) -> None:
    other = describe_work(pointwise(target, 1, (3, 8), (3, 3)))
    record = Record(
        target.family, other, {"columns": 1, "vectors": 1}, 1.0, 2.0, 1, 0, "0.1", "cpu"
    )  # fmt: skip
    write_records(tmp_path, Records(target.family, {}, (record,)))
    summary = tune([layer], target, tmp_path, options(budget=Budget(seconds=0.001)))
    assert summary.tally.measured == summary.tasks == 2
    records = read_records(tmp_path, target.family)
    assert records.outdated == (record,)
    assert records.stage(layer.kernels[0].stages[0].work) is not None
    assert not history(tmp_path, target).pending


def test_a_run_without_time_for_what_is_on_record_keeps_it(
    layer: Lowered, target: Target, tmp_path: Path
) -> None:
    tune([layer], target, tmp_path / "first", options(1))
    known = read_records(tmp_path / "first", target.family).by_key
    assert {record.trials for record in known.values()} == {1}
    other = {key: replace(one, tile=_narrower(one.tile), trials=9) for key, one in known.items()}
    folder = tmp_path / "second"
    folder.mkdir()
    write_records(folder, Records(target.family, other))
    summary = tune([layer], target, folder, options(budget=Budget(seconds=0.001)))
    assert summary.tally.measured == 2
    assert read_records(folder, target.family).by_key == other
    assert {record.key: record for record in summary.tuned} == other
    # Nor does it give way to what an earlier run decided on, but to a tile that leads clearly.
    earlier = tmp_path / "first"
    write_records(earlier, Records(target.family, other))
    tune([layer], target, earlier, options(1))
    assert read_records(earlier, target.family).by_key == other
    tune([layer], target, folder, options(6))
    for key, found in read_records(folder, target.family).by_key.items():
        seconds, before = (
            simulated_seconds(found.workload, one.tile) for one in (found, other[key])
        )
        assert found.trials != other[key].trials
        assert found.tile == other[key].tile or seconds * LEAD <= before


def _narrower(tile: dict[str, Any]) -> dict[str, Any]:
    """A tile, of an operator or a kernel of one, of a column less."""
    if "stages" in tile:
        return {**tile, "stages": [_narrower(one) for one in tile["stages"]]}
    return {**tile, "columns": tile["columns"] - 1}


def test_a_budget_of_time_goes_on(layer: Lowered, target: Target, tmp_path: Path) -> None:
    tune([layer], target, tmp_path, options(1))
    with journal(tmp_path, target) as opened:
        ran = [float(row[10] or 0) for row in opened.file.rows("results")]
    assert sum(ran) > 0
    used = Budget(seconds=sum(ran) / 2)
    assert tune([layer], target, tmp_path, options(budget=used)).tally.measured == 0


def test_a_task_that_improves_no_more_gets_no_more_trials(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage_search, "PATIENCE", 8)
    large = lowered(pointwise(target, 3, (80, 320), (14, 14)))
    wanted = options(budget=Budget(until_plateau=True))
    (stage, *_) = tune([large], target, tmp_path, wanted).tuned
    assert 8 < stage.trials < 41


def test_two_runs_exclude_each_other(layer: Lowered, target: Target, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / f"{target.family}.lock"),
        pytest.raises(RequestError, match=r"another run .* --status"),
    ):
        tune([layer], target, tmp_path, options(1))


def test_what_was_measured_of_another_program_is_measured_again(
    layer: Lowered, target: Target, tmp_path: Path
) -> None:
    tune([layer], target, tmp_path, options(3))
    change(tmp_path, target, schedules="others")
    same = tune([layer], target, tmp_path, options(3))
    assert (same.tally.stale, same.tally.measured) == (0, 0)
    change(tmp_path, target, schedules="others", program="0123")
    again = tune([layer], target, tmp_path, options(3))
    assert again.tally.stale == again.tally.measured > 3


def change(folder: Path, target: Target, schedules: str, program: str | None = None) -> None:
    """Have every result be of other schedules, and of another program if one is named."""
    with journal(folder, target) as opened:
        rows = opened.file.rows("results")
    with Journal(folder, target.family, {"any": "conditions"}) as opened, opened.file.change():
        for row in rows:
            opened.file.put("results", (*row[:3], program or row[3], *row[4:-1], schedules))
