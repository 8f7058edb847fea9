"""Percentiles and verdicts from made-up samples."""

import pytest

from pipeline.load import Load
from pipeline.results import Verdict
from pipeline.runner import QUICK
from pipeline.steadiness import judge, latency


def test_percentiles_of_known_samples():
    found = latency([float(value) for value in range(101)])
    assert (found.n, found.min, found.p50, found.p90, found.p99) == (101, 0, 50, 90, 99)


@pytest.mark.parametrize(
    ("rounds", "advice"),
    [
        ([[1.0] * 20] * 5, None),
        ([[1.0] * 19 + [3.0]] * 5, None),  # one in twenty slow: p90 does not see it
        ([[1.0] * 17 + [1.2] * 3] * 5, "p90 is 20% above p50"),
        ([[1.0] * 20] * 3 + [[1.1] * 20] * 2, "10% apart; clock or load"),
        ([[1e-3] * 19] * 5, "only 95 samples"),
        ([[1.0] * 6] * 5, None),  # a slow network: half a minute of it is enough
        ([[1.0] * 5] * 5, "only 25 samples"),
    ],
    ids=["steady", "outliers", "tail", "drift", "few", "slow", "few of slow"],
)
def test_verdict(rounds, advice):
    verdict, line = judge(rounds)
    assert (verdict is Verdict.VALID) == (advice is None)
    assert (advice or "") in line
    assert "\n" not in line


def test_a_falling_clock_is_told_from_other_disturbances():
    steady = [[1.0] * 20] * 9
    slowing = [[1.0 + 0.02 * number] * 20 for number in range(9)]
    verdict, line = judge(slowing, ceiling=slowing)
    assert verdict is Verdict.THROTTLED
    assert "12% slower" in line
    assert judge(slowing, ceiling=steady)[0] is Verdict.UNSTABLE
    assert judge(steady, ceiling=steady)[0] is Verdict.VALID


@pytest.mark.parametrize(
    ("load", "advice"),
    [
        (Load(1, others=0.7, stolen=0, megahertz=None), "other programs had 0.7 cores"),
        (Load(1, others=0.7, stolen=0.4, megahertz=None), "the host kept 0.4 cores"),
        (Load(1, others=0.1, stolen=0, megahertz=None), "pin the frequency"),
    ],
)
def test_the_advice_fits_the_load(load, advice):
    assert advice in judge([[1.0] * 20] * 3 + [[1.1] * 20] * 2, load=load)[1]


def test_the_advice_names_cores_that_were_moved():
    rounds = [[1.0] * 20] * 3 + [[1.1] * 20] * 2
    advice = "the host moves cores nearer and farther"
    assert advice in judge(rounds, waits=[262, 260, 300, 310])[1]
    assert advice not in judge(rounds, waits=[262, 260, 280, 290])[1]
    assert judge([[1.0] * 40] * 5, waits=[260, 310])[0] is Verdict.VALID


def test_a_quick_measurement_says_when_it_is_not_exact_enough():
    rounds = [[1.0 + 0.01 * (number % 3)] * 20 for number in range(9)]
    assert judge(rounds)[0] is Verdict.VALID
    verdict, line = judge(rounds, QUICK)
    assert verdict is Verdict.UNSTABLE
    assert "known to" in line
