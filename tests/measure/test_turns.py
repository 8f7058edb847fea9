"""Networks of ours in turns, for the time of one over that of another."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline import turns
from pipeline.contest import Conditions, Contest
from pipeline.errors import WorkFailedError
from pipeline.pairs import is_pair, time_ratio
from pipeline.readme import savings
from pipeline.report import ratio_rows
from pipeline.runner import Plan
from pipeline.turns import compared, with_turns
from tests.measure.records import result
from tests.measure.test_measure import fake

MOBILENET, SHUFFLENET = "mobilenet-1.0", "shufflenet-1.0x-g3"
QUICK = Plan(seconds=0.1, warm_up_seconds=0.1, round_seconds=0.02, fewest_samples=30)


def subject(name, gpu=None, size=(224, 224), seconds=0.001, **source):
    model = SimpleNamespace(name=name, batch=1, input_size=size)
    image = np.zeros(4, np.float32)
    return SimpleNamespace(
        model=model, target_name="host", dtype="float32", gpu=gpu, images=lambda: [image, image],
        source={"seconds": seconds} | source,
    )  # fmt: skip


@pytest.fixture
def fakes(monkeypatch):
    """Engines that take the time that their subject says, in place of bundles."""
    monkeypatch.setattr(turns, "ours", lambda one: fake("shufflenet-tvm", **one.source))
    return Conditions((), 1, Path("none"), QUICK)


def alone(*models):
    others = result(models[0], engine="torch", p50=9.0)
    return [Contest([result(model), others], [], 50.0) for model in models]


def test_the_time_ratio_is_that_of_rounds_in_turns():
    slow = result(MOBILENET, p50=8.0, turns_ms=[[8.0, 9.0, 8.0], [16.4], [4.2]])
    fast = result(SHUFFLENET, p50=2.1, turns_ms=[[2.0], [4.0, 4.0, 9.0], [1.0]])
    assert is_pair(slow, fast)
    assert not is_pair(fast, slow)
    assert time_ratio(slow, fast) == pytest.approx(4.1)
    assert savings([slow, fast]).cells[0][4] == "4.10"
    assert ratio_rows([slow, fast]).cells[0][5] == "4.10"


def test_without_turns_it_is_that_of_medians():
    slow = result(MOBILENET, p50=8.0, turns_ms=[[9.0]])
    assert time_ratio(slow, result(SHUFFLENET, p50=2.0)) == 4.0


def test_mobilenets_and_shufflenets_are_compared_that_are_alike_in_all_else():
    names = [SHUFFLENET, "squeezenet-1.0", MOBILENET, "shufflenet-1.0x-g1"]
    large = [subject(name, size=(480, 640)) for name in (MOBILENET, SHUFFLENET)]
    on_gpu = [subject(MOBILENET, gpu=object()), subject(SHUFFLENET, gpu=object())]
    assert compared([*map(subject, names), *large, *on_gpu]) == [[0, 2, 3], [4, 5]]
    assert compared([subject(SHUFFLENET), subject("shufflenet-1.0x-g1")]) == []


def test_networks_take_turns_and_their_results_have_the_samples(fakes):
    begun = []
    subjects = [subject(MOBILENET, seconds=0.004), subject("vgg-16"), subject(SHUFFLENET)]
    found = with_turns(
        alone(MOBILENET, "shufflenet-1.0x-g3", SHUFFLENET), subjects, fakes,
        lambda *what: begun.append(what),
    )  # fmt: skip
    assert begun == [("networks in turns", 1)]
    (slow, other), (left_out, _), (fast, _) = (one.results for one in found)
    # What it takes to stop and wake processes is in their time.
    assert len(slow.turns_ms) == len(fast.turns_ms) >= turns.FEWEST_ROUNDS // 2
    assert all(taken > 4 for samples in slow.turns_ms for taken in samples)
    assert left_out.turns_ms == other.turns_ms == []
    assert time_ratio(slow, fast) > 2


def test_a_quick_look_ends_when_medians_are_known_well_enough(fakes):
    quick = replace(fakes, plan=replace(QUICK, precision=0.5))
    subjects = [subject(MOBILENET, seconds=0.004), subject(SHUFFLENET)]
    (one, *_), _ = (c.results for c in with_turns(
        alone(MOBILENET, SHUFFLENET), subjects, quick, lambda *_: None
    ))  # fmt: skip
    assert 5 <= len(one.turns_ms) < turns.FEWEST_ROUNDS // 2


def test_nobody_takes_turns_with_nobody(fakes):
    contests = alone(SHUFFLENET)
    assert with_turns(contests, [subject(SHUFFLENET)], fakes, lambda *_: None) == contests


def test_a_network_that_fails_in_turns_is_a_failure_of_the_work(fakes):
    subjects = [subject(MOBILENET), subject(SHUFFLENET, refuse=True)]
    with pytest.raises(WorkFailedError, match="not a model"):
        with_turns(alone(MOBILENET, SHUFFLENET), subjects, fakes, lambda *_: None)
