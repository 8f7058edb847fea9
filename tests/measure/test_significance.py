"""Whether changes are told from noise like that of a shared machine: correlated and drifting.

The noise of a round is what `tuning_logs/results` shows: medians of rounds with a deviation of 1 to
2 percent, each like the one before, and samples with a tail to one side.
"""

import numpy as np
import pytest

from pipeline.compare import Outcome, compare, fails
from pipeline.errors import RequestError
from pipeline.significance import change, estimate
from tests.measure.records import result, result_file

SEED = 31
ROUNDS, SAMPLES = 50, 60
PAIRS = 40
MEMORY = 0.6
# Of 40 comparisons, so many have to be right.
BAR = 38


def rounds_of(rng, *, median=3.0, between=0.004, within=0.015, disturbed=0.05):
    """Samples by round in ms. A run as a whole is off by `between`; its rounds wander with
    MEMORY; some of them are `disturbed` by half."""
    level, rounds = 0.0, []
    run = 1 + between * rng.standard_normal()
    for _ in range(ROUNDS):
        level = MEMORY * level + within * np.sqrt(1 - MEMORY**2) * rng.standard_normal()
        factor = 1.5 if rng.random() < disturbed else 1.0
        noise = 1 + 0.02 * rng.gamma(2, size=SAMPLES)
        rounds.append((median * run * (1 + level) * factor * noise).tolist())
    return rounds


def as_result(rounds, **changes):
    samples = [sample for one in rounds for sample in one]
    counts = [len(one) for one in rounds]
    return result(p50=float(np.median(samples)), samples_ms=samples, rounds=counts, **changes)


def outcomes(rng, slower):
    """The outcomes of comparisons of a model with itself, made slower by a share."""
    found = []
    for _ in range(PAIRS):
        old = result_file(as_result(rounds_of(rng)))
        new = result_file(as_result(rounds_of(rng, median=3.0 * (1 + slower))))
        found.append(compare(old, new)[0].outcome)
    return found


@pytest.fixture
def rng():
    print(f"seed {SEED}")
    return np.random.default_rng(SEED)


@pytest.mark.parametrize(
    ("slower", "outcome"), [(0.0, Outcome.SAME), (0.05, Outcome.SLOWER), (-0.05, Outcome.FASTER)]
)
def test_changes_are_found_and_noise_is_not(rng, slower, outcome):
    found = outcomes(rng, slower)
    assert found.count(outcome) >= BAR, found


def test_the_interval_holds_the_truth_as_often_as_it_says(rng):
    held = 0
    for _ in range(200):
        rounds = [rounds_of(rng, between=0, disturbed=0) for _ in range(2)]
        found = change(*map(estimate, rounds), confidence=0.9)
        held += found.low <= 0 <= found.high
    # Of 200 at 90 %, fewer than 165 happen once in two thousand times.
    assert held >= 165


def test_neighbouring_samples_do_not_count_as_many(rng):
    """One round that holds all samples, cut into rounds, has the error of its few levels."""
    steady = [list(1 + 0.01 * rng.standard_normal(SAMPLES)) for _ in range(ROUNDS)]
    stairs = [[1.0 + 0.02 * (number // 10)] * SAMPLES for number in range(ROUNDS)]
    assert estimate(steady).half_width() < 0.005
    assert estimate(stairs).half_width() > 0.05


def test_too_few_rounds_are_sure_of_nothing():
    found = change(estimate([[1.0] * 9] * 2), estimate([[2.0] * 9] * 2))
    assert (found.low, found.high) == (-1.0, float("inf"))
    assert found.ratio == pytest.approx(1.0)


def test_identical_samples_are_no_difference():
    file = result_file(as_result([[2.0] * 20] * 10))
    assert [one.outcome for one in compare(file, file)] == [Outcome.SAME]


def test_what_is_lost_fails_and_what_is_new_does_not():
    old, more = as_result([[2.0] * 9] * 9), as_result([[2.0] * 9] * 9, threads=2)
    lost = compare(result_file(old, more), result_file(old))
    added = compare(result_file(old), result_file(old, more))
    assert [one.outcome for one in lost] == [Outcome.SAME, Outcome.MISSING]
    assert [one.outcome for one in added] == [Outcome.SAME, Outcome.ADDED]
    assert fails(lost)
    assert not fails(added)


def test_files_that_share_nothing_are_refused():
    ours, theirs = result_file(as_result([[2.0] * 9] * 9)), result_file(result(engine="torch"))
    with pytest.raises(RequestError, match="share no model"):
        compare(ours, theirs)
    elsewhere = ours.model_copy(
        update={"environment": ours.environment.model_copy(update={"cpu": "another"})}
    )
    with pytest.raises(RequestError, match="different CPUs"):
        compare(ours, elsewhere)


def test_a_slower_machine_is_told_from_slower_code(rng):
    rounds, ceiling = rounds_of(rng), 45 * (1 + 0.02 * rng.standard_normal(ROUNDS))
    slowed = [[1.1 * sample for sample in samples] for samples in rounds]
    old = as_result(rounds, ceiling_gmacs=ceiling)
    (clock,) = compare(*map(result_file, (old, as_result(slowed, ceiling_gmacs=ceiling / 1.1))))
    assert clock.clock == pytest.approx(1 / 1.1 - 1)
    assert clock.outcome is Outcome.SAME
    assert clock.change is not None
    assert clock.change.ratio == pytest.approx(0, abs=1e-9)
    (code,) = compare(*map(result_file, (old, as_result(slowed, ceiling_gmacs=ceiling))))
    assert (code.outcome, code.clock) == (Outcome.SLOWER, 0)


def test_without_a_ceiling_in_both_the_times_themselves_are_compared(rng):
    rounds = rounds_of(rng)
    old = as_result(rounds, ceiling_gmacs=[45.0] * ROUNDS)
    (found,) = compare(*map(result_file, (old, as_result(rounds))))
    assert (found.outcome, found.clock) == (Outcome.SAME, None)
