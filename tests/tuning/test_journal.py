"""The journal survives a crash, and refuses damage."""

import logging
from pathlib import Path

import pytest

from pipeline.errors import RequestError
from pipeline.tune.journal import Final, Journal, Trial

ABOUT = {"tvm": "1", "cpu": "a cpu", "schedules": "s"}
TRIAL = Trial("task", {"columns": 3}, 1e-5, None, 0)
FAILED = Trial("task", {"columns": 4}, None, "crashed", 0)


def written(folder: Path) -> Path:
    journal = Journal(folder, "family", ABOUT)
    journal.add(TRIAL)
    journal.add(FAILED)
    return journal.path


def test_what_was_added_is_read(tmp_path: Path) -> None:
    written(tmp_path)
    final = Final("task", 2, {"columns": 3}, 1e-5, None)
    Journal(tmp_path, "family", ABOUT).add(final)
    journal = Journal(tmp_path, "family", ABOUT)
    assert journal.trials["task"] == [TRIAL, FAILED]
    assert journal.finals == {"task": final}


@pytest.mark.parametrize("left", [1, 20, 100])
def test_a_torn_last_line_is_dropped(
    tmp_path: Path, left: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:-left])
    with caplog.at_level(logging.WARNING):
        journal = Journal(tmp_path, "family", ABOUT)
    assert "torn" in caplog.text
    assert journal.trials["task"] == [TRIAL]
    journal.add(FAILED)
    assert path.read_bytes() == content


def test_a_torn_header_is_written_again(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:10])
    Journal(tmp_path, "family", ABOUT).add(TRIAL)
    assert Journal(tmp_path, "family", ABOUT).trials["task"] == [TRIAL]


def test_a_changed_line_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().replace('"columns": 3', '"columns": 5'))
    with pytest.raises(RequestError, match="line 2, is torn or was changed; remove"):
        Journal(tmp_path, "family", ABOUT)


def test_times_of_another_machine_are_refused(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(RequestError, match="other cpu; move it away"):
        Journal(tmp_path, "family", {**ABOUT, "cpu": "another"})
