"""Percentiles and verdicts from made-up samples."""

import pytest

from pipeline.results import Verdict
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
        ([[1.0] * 20] * 3 + [[1.1] * 20] * 2, "10% apart"),
        ([[1.0] * 19] * 5, "only 95 samples"),
    ],
    ids=["steady", "outliers", "tail", "drift", "few"],
)
def test_verdict(rounds, advice):
    verdict, line = judge(rounds)
    assert (verdict is Verdict.VALID) == (advice is None)
    assert (advice or "") in line
    assert "\n" not in line
