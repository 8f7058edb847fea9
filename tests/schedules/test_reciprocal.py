"""Averages of float16 are not all too small, or all too large."""

import numpy as np
import pytest

from schedules.cpu.kernel_function import scheduled
from schedules.cpu.operators import operator
from schedules.cpu.pool import Pool
from schedules.cpu.reciprocal import factors
from schedules.frame import Frame
from tests.schedules.layers import alone
from tests.schedules.running import NEON, SEED, pixels, run


@pytest.mark.parametrize("count", [2, 3, 4, 9, 25, 49])
def test_factors_are_held_and_divide(count: int) -> None:
    found = factors(count, "float16")
    assert all(float(np.float16(one)) == one for one in found)
    assert np.prod(found) * count == pytest.approx(1, abs=1e-6)
    assert np.all(np.cumprod(found) <= 1)


def test_one_factor_is_enough_where_it_is_exact() -> None:
    assert factors(4, "float16") == (0.25,)
    assert factors(9, "float32") == (1 / 9,)


def test_errors_of_an_average_cancel() -> None:
    """By a single factor the mean of the errors would be 2.4e-4 of the values."""
    source, target = Frame(1, 14, 14, 8, 1, "float16"), Frame(1, 7, 7, 8, dtype="float16")
    work = Pool(source, target, "average", 2, 8)
    kernel = alone(work)
    data = np.zeros(source.shape, "float16")
    print(f"seed {SEED}")
    pixels(source, data)[:] = np.random.default_rng(SEED).uniform(1, 2, (1, 14, 14, 8))
    tile = operator(work).hand_tiles(work, NEON.resized(2), 7)[0]
    out = run(scheduled(kernel, [tile], "strips"), kernel, {"data": data})["out"]
    made = pixels(target, out).astype("float64")
    wide = data.astype("float64").reshape(16, 16, 8)
    exact = sum(wide[y : y + 13 : 2, x : x + 13 : 2] for y in range(3) for x in range(3)) / 9
    errors = made[0] / exact - 1
    assert np.abs(errors).max() < 2e-3
    assert abs(errors.mean()) < 8e-5
