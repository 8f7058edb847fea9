"""Right, wrong and not a number."""

import logging

import numpy as np
import pytest

from pipeline.check import compare, random_inputs, require_agreement
from pipeline.errors import WorkFailedError

SEED = 5


@pytest.fixture
def reference():
    logging.getLogger(__name__).warning("seed %d", SEED)
    return random_inputs((2, 10), 3, SEED)


def test_the_same_output_agrees(reference):
    agreement = compare(reference, reference)
    assert (agreement.max_relative_error, agreement.top1_agreement) == (0, 1)
    assert agreement.images == 6
    require_agreement(agreement, "ours")


def test_error_is_relative_to_the_largest_logit(reference):
    largest = max(np.abs(output).max() for output in reference[:1])
    output = reference[0].copy()
    output[1, 3] += np.float32(0.01) * largest
    agreement = compare([output, *reference[1:]], reference)
    assert agreement.max_relative_error == pytest.approx(0.01, rel=1e-3)
    require_agreement(agreement, "ours", "float16")
    with pytest.raises(WorkFailedError, match=r"^ours is wrong: .* 1\.0e-02 of the largest"):
        require_agreement(agreement, "ours")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_wrong(value, reference):
    output = reference[2].copy()
    output[0, 0] = value
    with pytest.raises(WorkFailedError):
        require_agreement(compare([*reference[:2], output], reference), "ours")


def test_another_shape_is_wrong(reference):
    agreement = compare([output[:, :5] for output in reference], reference)
    assert (agreement.max_relative_error, agreement.top1_agreement) == (float("inf"), 0)


def test_inputs_follow_the_seed():
    first, second = random_inputs((1, 3, 4, 4), 2, SEED)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, random_inputs((1, 3, 4, 4), 1, SEED)[0])
