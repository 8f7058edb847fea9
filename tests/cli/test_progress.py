"""What is told of work that takes long."""

import io
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from pipeline import progress
from pipeline.progress import Countdown, Steps
from pipeline.tuning import Progress, Summary, Tally
from pipeline.tuning_progress import TuningSteps
from tests.cli.conftest import MODEL, SIZE

TOLD = Progress(
    "stage", "pointwise", False, 3, 0, 2e-5, 40.0, 3e-5, 5, 128, 0, 2, 75.0, ["left out: a device"]
)


@pytest.fixture
def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=120)


def test_time_left_is_learnt_from_the_contests_that_are_over(terminal, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    with Steps(terminal) as steps:
        countdown = Countdown(steps, seconds=10.0)
        countdown.expect(4)
        countdown.begin("net", 1)
        countdown.step("loading")
        clock.now = 20.0
        countdown.begin("net", 2)
        countdown.step("round 1")
    text = terminal.file.getvalue()
    assert "40 s left" in text
    assert "net, 2 threads: round 1" in text
    assert "1 min 0 s left" in text


def test_nothing_is_drawn_unless_something_is_told(terminal):
    with Steps(terminal) as steps:
        steps.say("loading")
        assert not steps._bar.live.auto_refresh


def test_a_pipe_gets_whole_lines_alone():
    pipe = Console(file=io.StringIO(), width=20)
    with TuningSteps(pipe) as steps:
        steps.tell(TOLD)
        steps.tell(replace(TOLD, task_finished=True, finished=1, news=[]))
    news, line = pipe.file.getvalue().splitlines()
    assert news == "left out: a device"
    assert "task 1 of 2, pointwise: 3 trials, 0 failed; best 20.0 us" in line


def test_tune_tunes_and_compiles(command, monkeypatch, tmp_path):
    requests = []

    def tuned(*request):
        requests.append(request)
        tally = Tally(measured=7, failed=1, building=3, measuring=4, waiting=1, searching=0.2)
        return Summary(tmp_path / "host.jsonl", 40, tally, 6.0, ())

    monkeypatch.setattr("pipeline.tune_models.tune", tuned)
    words = ["--input-size", SIZE, "--time", "2m", "--logs", tmp_path, "--out", tmp_path / "b"]
    outcome = command("tune", MODEL, *words)
    assert outcome.status == 0, outcome.err
    assert "40 tasks\nmeasured 7 candidates, of which 1 failed\n6 s: building 3 s" in outcome.out
    assert (tmp_path / "b" / "manifest.json").is_file()
    ((lowered, *_, options, _),) = requests
    assert len(lowered) == 1
    assert (options.budget.trials, options.budget.seconds) == (None, 120.0)
