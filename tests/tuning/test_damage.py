"""Damaged journals and records: refused or repaired with a clear line, never taken as they are."""

import logging
import os
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings

from pipeline.errors import RequestError
from pipeline.records import Record, Records, read_records, records_path, write_records
from pipeline.tune.entries import Candidate, Final, Outcome, Trial
from pipeline.tune.history import read_history
from pipeline.tune.journal import Journal, TaskEntry, journal_path
from tests.tuning.damage import damages, spoil

Read = TypeVar("Read")
FAMILY = "family"
ABOUT = {"tvm": "1", "cpu": "a cpu"}
# tests/faults has the long form.
EXAMPLES = int(os.environ.get("DAMAGED_FILES", "60"))
drawn = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def trial(number: int) -> Trial:
    candidate = Candidate(number, number // 8, f"task{number % 3}", {"columns": number}, "random")
    failure = "crashed" if number % 5 == 0 else None
    seconds = None if failure else 1e-6 * number
    return Trial(candidate, Outcome(seconds, failure, f"{number:016x}", None, "local", 1, 2, 3))


TRIALS = {number: trial(number) for number in range(60)}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal and records of sixty candidates."""
    folder: Path = tmp_path_factory.mktemp("whole")
    with Journal(folder, FAMILY, ABOUT) as journal:
        journal.add_tasks(
            [TaskEntry(f"task{n}", "stage", "a task", {"n": n}, []) for n in range(3)]
        )
        for number, one in TRIALS.items():
            turn = one.candidate.round
            journal.propose([(one.candidate.task, one.tile, "random")], number, turn)
            journal.add(one, 0.5, "schedules")
        journal.finish(Final("task1", 20, {"columns": 1}, 1e-6, None), 0.5)
    records = [record(number) for number in range(20)]
    write_records(folder, Records(FAMILY, {one.key: one for one in records}))
    return folder


def record(number: int) -> Record:
    tvm = metadata.version("apache-tvm")
    return Record(FAMILY, {"n": number}, {"columns": number}, 1e-6, None, 1, 0, tvm, "a cpu")


@drawn
@given(damages)
def test_a_damaged_journal(whole: Path, tmp_path: Path, caplog, damage) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    changed = spoil(journal_path(folder, FAMILY), damage)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        journal, refusal = unless_refused(lambda: Journal(folder, FAMILY, ABOUT))
    if journal is None:
        assert len(refusal.splitlines()) == 1
        assert "move it away" in refusal
        return
    with journal:
        known = read_history(journal)
        for one in known.trials:
            assert one == TRIALS[one.candidate.number]
        complete = len(known.trials) == len(TRIALS)
        assert complete or changed
        if not complete:
            assert "repaired with" in caplog.text or "is empty" in caplog.text
        # It can be written to again.
        added = trial(1000)
        journal.propose([(added.candidate.task, added.tile, "random")], 1000, 125)
        journal.add(added, 0.5, "schedules")
    with Journal(folder, FAMILY, ABOUT, writing=False) as again:
        assert len(read_history(again).trials) == len(known.trials) + 1


@drawn
@given(damages)
def test_damaged_records(whole: Path, tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "records"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    spoil(records_path(folder, FAMILY), damage)
    records, refusal = unless_refused(lambda: read_records(folder, FAMILY))
    if records is None:
        assert len(refusal.splitlines()) == 1
        assert any(word in refusal for word in ("move it away", "remove", "restore"))
        return
    assert records == read_records(whole, FAMILY)


def unless_refused(read: Callable[[], Read]) -> tuple[Read | None, str]:
    """What was read, or why it was refused."""
    try:
        return read(), ""
    except RequestError as error:
        return None, str(error)


def test_a_torn_write_ahead_log_keeps_what_was_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path, FAMILY, ABOUT)
    for number in range(8):
        one = TRIALS[number]
        journal.propose([(one.candidate.task, one.tile, "random")], number, 0)
        journal.add(one, 0.5, "schedules")
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in tmp_path.glob("*.sqlite*"):
        shutil.copy(path, copy)
    journal.file.close()
    log = copy / f"{journal.path.name}-wal"
    log.write_bytes(log.read_bytes()[: -2 * 4096])
    with Journal(copy, FAMILY, ABOUT) as again:
        known = read_history(again)
    assert 5 <= len(known.trials) < 8
    assert all(one == TRIALS[one.candidate.number] for one in known.trials)


def test_a_journal_of_another_family_is_refused(whole: Path, tmp_path: Path) -> None:
    shutil.copy(journal_path(whole, FAMILY), journal_path(tmp_path, "other"))
    with pytest.raises(RequestError, match="is for family, schema 1, not for other; move it away"):
        Journal(tmp_path, "other", ABOUT)


def test_results_under_other_conditions_are_kept_and_not_used(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    with Journal(tmp_path / "copy", FAMILY, {**ABOUT, "cpu": "another"}) as journal:
        known = read_history(journal)
        assert (known.trials, known.pending, known.finals) == ([], [], {})
        assert known.next_number == len(TRIALS)
    with Journal(tmp_path / "copy", FAMILY, ABOUT) as journal:
        assert len(read_history(journal).trials) == len(TRIALS)
