"""The study of the measurements, with times that are made up."""

import itertools
import json
from types import SimpleNamespace

import pytest

from tests.measure import quiet_machine
from tests.measure.quiet_machine import Study, take, verdict


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Opens the study of a folder; the slowed engine takes as much longer as it is told to."""
    monkeypatch.setattr(quiet_machine, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(quiet_machine, "read_bundle", lambda path: SimpleNamespace(folder=path))
    (tmp_path / "bundle").mkdir()

    clocks = itertools.cycle([1.0, 1.0, 1.1, 0.9])

    def taken(participant, *_):
        factor, clock = 1 + participant.source.get("share", 0.0), next(clocks)
        levels = [clock * (1 + 1e-4 * number) for number in range(12)]
        return [[factor * level] * 9 for level in levels], [[level] * 3 for level in levels]

    monkeypatch.setattr(quiet_machine, "taken", taken)
    monkeypatch.setattr(quiet_machine, "bare_multiply_adds", lambda _: None)
    monkeypatch.setattr(
        quiet_machine,
        "load",
        lambda _: SimpleNamespace(example=SimpleNamespace(numpy=lambda: None)),
    )
    return lambda: Study(tmp_path, "net", 1.0)


def test_a_study_is_taken_in_pieces(study, capsys):
    steps = SimpleNamespace(say=lambda *_: None)
    assert not take(study(), 5, 0.0, steps)
    assert verdict(study(), 5) == quiet_machine.UNDONE
    study().run()
    study().pair()
    first = study()
    assert (len(first.all("pair")), len(first.all("run"))) == (1, 1)
    assert take(first, 5, 60.0, steps)
    assert verdict(study(), 5) == 0
    assert "planted 5% slow-down: found in 5 of 5" in capsys.readouterr().out


def test_a_missed_bar_is_told_by_the_status(study):
    made = study()
    take(made, 5, 60.0, SimpleNamespace(say=lambda *_: None))
    lines = made.journal.read_text().splitlines()
    seen = [{**json.loads(line), "same": False} for line in lines]
    made.journal.write_text("".join(json.dumps(one) + "\n" for one in seen))
    assert verdict(study(), 5) == 1
