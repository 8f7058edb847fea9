"""MetaSchedule as a peer: what is kept of a tuning, and how one that stopped goes on."""

import json
from types import SimpleNamespace

import pytest

from pipeline import metaschedule
from pipeline.metaschedule import RECORDS, tuned_source
from pipeline.peers import PeerError

SOURCE = {
    "model": "shufflenet-0.25x-g1",
    "spec": {"height": 64, "width": 64, "batch": 1, "classes": 1000},
    "weights": None,
    "seed": 0,
    "target": "host",
    "family": "x86_64-avx2-16fma",
}


def line(seconds):
    return json.dumps([0, [[[], []], [seconds], {}, []]])


@pytest.fixture
def tuner(monkeypatch):
    """Writes a record for each trial that it is asked for, instead of searching."""
    asked = []

    def start(command, **_):
        source, trials = json.loads(command[-2]), int(command[-1])
        asked.append(trials)
        folder = metaschedule.Path(source["folder"])
        with (folder / RECORDS).open("a") as file:
            file.writelines(f"{line(tuner.seconds)}\n" for _ in range(trials))
        (folder / "seconds").write_text("12.5")
        return SimpleNamespace(
            wait=lambda seconds=None: 0, terminate=lambda: None, returncode=tuner.status
        )

    tuner = SimpleNamespace(asked=asked, seconds=1e-3, status=0)
    monkeypatch.setattr(metaschedule.subprocess, "Popen", start)
    return tuner


def test_a_model_is_tuned_once_and_what_it_took_is_told(tuner, tmp_path):
    first = tuned_source(SOURCE, tmp_path, 8, print)
    assert tuned_source(SOURCE, tmp_path, 8, print) == first
    assert tuner.asked == [8]
    assert first["settings"]["trials"] == "8"
    assert first["settings"]["tuning_seconds"] == "12"


def test_other_weights_use_the_same_database_and_another_size_does_not(tuner, tmp_path):
    folders = {
        tuned_source(source, tmp_path, 2, print)["database"]
        for source in (SOURCE, {**SOURCE, "seed": 5, "weights": "w.pth"})
    }
    assert len(folders) == 1
    larger = {**SOURCE, "spec": {**SOURCE["spec"], "height": 96}}
    assert tuned_source(larger, tmp_path, 2, print)["database"] not in folders


def test_what_was_interrupted_goes_on_behind_the_last_whole_line(tuner, tmp_path):
    folder = metaschedule.Path(tuned_source(SOURCE, tmp_path, 3, print)["database"])
    records = folder / RECORDS
    records.write_text(records.read_text()[:-20])
    assert tuned_source(SOURCE, tmp_path, 5, print)["settings"]["trials"] == "5"
    assert tuner.asked == [3, 3]
    assert all(json.loads(one) for one in records.read_text().splitlines())


def test_failed_candidates_alone_are_no_peer(tuner, tmp_path):
    tuner.seconds = 1e10
    with pytest.raises(PeerError, match="measured no candidate"):
        tuned_source(SOURCE, tmp_path, 2, print)


def test_a_tuner_that_fails_is_told_of(tuner, tmp_path):
    tuner.status = 1
    with pytest.raises(PeerError, match="MetaSchedule failed"):
        tuned_source(SOURCE, tmp_path, 2, print)
