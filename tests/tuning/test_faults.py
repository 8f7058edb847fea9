"""Candidates, builders, devices and disks that fail while a small network is tuned."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.build import Lowered
from pipeline.errors import WorkFailedError
from pipeline.records import read_records
from pipeline.targets import Target
from pipeline.tune.bench import Equipment
from pipeline.tune.sealed import SealedFile
from pipeline.tune.stage_space import StageSpace
from pipeline.tune.worker import check
from pipeline.tuning import Progress, tune
from tests.tuning.conftest import history, lowered, options, pointwise

Faulty = Callable[..., Equipment]


def test_crashes_and_endless_and_wrong_kernels_are_failed_candidates(
    layer: Lowered, target: Target, tmp_path: Path, faulty: Faulty
) -> None:
    faults = faulty(_1="crash", _2="endless", _3="wrong", _4="refused", _5="dies")
    space = StageSpace(layer.kernels[0], target.machine)
    every = len(space.tiles)
    assert every > 5
    summary = tune([layer], target, tmp_path, options(every, equipment=faults))
    assert (summary.tuned[0].trials, summary.tuned[0].failed) == (every, 5)
    failed = [trial for trial in history(tmp_path, target).trials if trial.seconds is None]
    causes = {space.tiles.index(trial.tile): trial for trial in failed}
    assert str(causes[1].failure).startswith("ended by SIG")
    assert causes[2].failure == "no end within 5 s"
    assert str(causes[3].failure).startswith("wrong output: relative error")
    assert "sch.split" in str(causes[3].outcome.trace)
    assert causes[4].failure == "could not be built: no such schedule"
    assert "ended by SIGKILL" in str(causes[5].failure)
    # What was a failure once is not sent again.
    assert tune([layer], target, tmp_path, options(every, equipment=faults)).tally.measured == 0


def test_a_task_without_a_valid_candidate_fails_with_its_cause(
    layer: Lowered, target: Target, tmp_path: Path, faulty: Faulty
) -> None:
    with pytest.raises(WorkFailedError, match=r"none of 2 candidates .* wrong output"):
        tune([layer], target, tmp_path, options(2, equipment=faulty(all="wrong")))
    assert not read_records(tmp_path, target.family).by_key


def test_a_full_disk_stops_the_builders_and_is_no_failure_of_a_candidate(
    layer: Lowered, target: Target, tmp_path: Path, faulty: Faulty
) -> None:
    space = StageSpace(layer.kernels[0], target.machine)
    others = {f"_{n}": "full" for n, tile in enumerate(space.tiles) if tile != space.hand}
    with pytest.raises(WorkFailedError, match=r"No space left .* same command"):
        tune([layer], target, tmp_path, options(4, equipment=faulty(**others)))
    assert all(trial.seconds for trial in history(tmp_path, target).trials)
    assert tune([layer], target, tmp_path, options(4)).tally.failed == 0


def test_a_full_disk_stops_the_journal_and_what_was_written_stays(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, count = lowered(pointwise(target, 3, (8, 80), (4, 20))), 40
    create = SealedFile._create

    def small(file: SealedFile) -> None:
        file._database.execute("PRAGMA page_size = 512")
        create(file)
        (pages,) = file._database.execute("PRAGMA page_count").fetchone()
        file._database.execute(f"PRAGMA max_page_count = {pages}")

    with monkeypatch.context() as patch:
        patch.setattr(SealedFile, "_create", small)
        with pytest.raises(WorkFailedError, match=r"full; nothing that was written is lost"):
            tune([large], target, tmp_path, options(count))
    before = len(history(tmp_path, target).trials)
    told: list[Progress] = []
    tune([large], target, tmp_path, options(count), told.append)
    assert told[0].trials == before + 1


EXPECTED = np.array([1.0, np.nan, 2.0], dtype=np.float32)


def test_equal_outputs_pass() -> None:
    check(EXPECTED * np.float32(1 + 1e-6), EXPECTED)


@pytest.mark.parametrize(
    "output",
    [[1.0, 0.0, 2.0], [1.0, np.nan, np.nan], [1.0, np.nan, 2.1], [np.inf, np.nan, 2.0]],
    ids=["writes the border", "misses an element", "wrong value", "infinite"],
)
def test_other_outputs_are_refused(output: list[float]) -> None:
    with pytest.raises(ValueError, match="wrong output"):
        check(np.array(output, dtype=np.float32), EXPECTED)
