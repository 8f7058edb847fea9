"""Weights in float16: each next to what it was, and together nearly what they were."""

import numpy as np
import pytest

from pipeline.passes.round_weights import rounded

SEED = 27


@pytest.mark.parametrize("shape", [(240, 80), (60, 3, 3), (24, 3, 3, 3), (5, 1)])
def test_the_sum_of_a_filter_is_kept(shape: tuple[int, ...]) -> None:
    print(f"seed {SEED}")
    weight = np.random.default_rng(SEED).standard_normal(shape).astype("float32")
    made, nearest = rounded(weight, "float16"), weight.astype("float16")
    assert made.shape == shape
    assert made.dtype == np.float16
    spacing = np.spacing(np.abs(nearest)).astype("float32")
    assert (np.abs(made - weight) <= spacing).all()
    axes = tuple(range(1, len(shape)))
    error, before = (
        np.abs((one.astype("float64") - weight).sum(axis=axes)).mean() for one in (made, nearest)
    )
    assert error <= before / (3 if weight[0].size > 1 else 1)


def test_weights_that_are_nought_stay_so() -> None:
    weight = np.full((1, 64), 0.1, "float32")
    weight[0, ::2] = 0
    made = rounded(weight, "float16")
    assert (made[0, ::2] == 0).all()
    assert len(set(made[0, 1::2])) == 2


def test_what_float16_can_hold_stays_as_it_is() -> None:
    weight = np.arange(-8, 8, dtype="float32").reshape(2, 8)
    np.testing.assert_array_equal(rounded(weight, "float16"), weight)
