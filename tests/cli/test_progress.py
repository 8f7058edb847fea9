"""What is told of work that takes long."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from pipeline import progress
from pipeline.progress import Countdown, Steps
from pipeline.tuning import Progress, Summary
from pipeline.tuning_progress import TuningSteps
from tests.cli.conftest import MODEL, SIZE

TOLD = Progress("pointwise", 1, 2, 3, 64, 3, 0, 2e-5, 40.0, 3e-5, 75.0)


@pytest.fixture
def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=120)


def test_time_left_is_learnt_from_the_contests_that_are_over(terminal, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock.now)
    subject = SimpleNamespace(model=SimpleNamespace(name="net"))
    with Steps(terminal) as steps:
        countdown = Countdown(steps, expected=4, seconds=10.0)
        countdown.begin(subject, 1)
        countdown.step("loading")
        clock.now = 20.0
        countdown.begin(subject, 2)
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
        steps.tell(SimpleNamespace(**{**vars(TOLD), "index": 2}))
    (line,) = pipe.file.getvalue().splitlines()
    assert "task 1 of 2, pointwise: 3 of 64 trials, 0 failed; best 20.0 us" in line


def test_tune_tunes_and_compiles(command, monkeypatch, tmp_path):
    requests = []

    def tuned(*request):
        requests.append(request)
        return Summary(tmp_path / "host.jsonl", 40, 7, 1, ())

    monkeypatch.setattr("pipeline.tune_models.tune", tuned)
    words = ["--input-size", SIZE, "--time", "2m", "--logs", tmp_path, "--out", tmp_path / "b"]
    outcome = command("tune", MODEL, *words)
    assert outcome.status == 0, outcome.err
    assert "40 tasks; measured 7 candidates, of which 1 failed" in outcome.out
    assert (tmp_path / "b" / "manifest.json").is_file()
    ((lowered, *_, budget, _, _),) = requests
    assert len(lowered) == 1
    assert (budget.trials, budget.seconds) == (None, 120.0)
