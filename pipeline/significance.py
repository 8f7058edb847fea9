"""How well a median is known, when samples are neither independent nor steady.

Neighbouring samples share the clock and the caches, so thousands of them say little more than one.
What is closer to independent are the medians of rounds, between which other engines had their
turns. The error is that of their trimmed mean, the fifth at each end winsorised (Tukey and
McLaughlin 1963), for one round that was disturbed must not blur all others; it grows by what the
rounds still have in common with the round before: sqrt((1 + r) / (1 - r)) for a correlation r.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

TRIM = 0.2
# Beyond this correlation the rounds are one long disturbance, and no formula helps.
LARGEST_CORRELATION = 0.9
FEWEST_ROUNDS = 3
CONFIDENCE = 0.99


@dataclass(frozen=True)
class Estimate:
    """A median, its standard error as a share of it, and the degrees of freedom of that error."""

    median: float
    error: float
    freedom: float

    def half_width(self, confidence: float = CONFIDENCE) -> float:
        """Half the confidence interval, as a share of the median."""
        return float(student.ppf((1 + confidence) / 2, self.freedom)) * self.error


@dataclass(frozen=True)
class Change:
    """New over old, minus one, and the ends of its confidence interval."""

    ratio: float
    low: float
    high: float


def estimate(rounds: Sequence[Sequence[float]]) -> Estimate:
    """The median of all samples, and how well it is known; unknown with fewer than 3 rounds."""
    median = statistics.median(sample for samples in rounds for sample in samples)
    count = len(rounds)
    if count < FEWEST_ROUNDS:
        return Estimate(median, math.inf, 1.0)
    medians = np.log([statistics.median(samples) for samples in rounds])
    cut = int(TRIM * count)
    low, high = np.sort(medians)[[cut, count - cut - 1]]
    kept = np.clip(medians, low, high)
    correlation = _correlation(kept)
    shared = math.sqrt((1 + correlation) / (1 - correlation))
    error = float(kept.std(ddof=1)) / (1 - 2 * cut / count) / math.sqrt(count) * shared
    return Estimate(median, error, max((count - 2 * cut - 1) / shared**2, 1.0))


def at_equal_clock(
    rounds: Sequence[Sequence[float]], ceiling: Sequence[float]
) -> list[list[float]]:
    """Samples times what bare multiply-adds reached in the same round.

    The clock and whoever shares the core slow down both alike. `ceiling` is a rate for each round;
    from samples in ms and GMAC/s come millions of multiply-adds that were possible meanwhile.
    """
    return [[s * rate for s in samples] for samples, rate in zip(rounds, ceiling, strict=True)]


def change(old: Estimate, new: Estimate, confidence: float = CONFIDENCE) -> Change:
    """How much longer `new` takes, with Welch's interval on the ratio."""
    squares = old.error**2, new.error**2
    if not all(map(math.isfinite, squares)):
        return Change(new.median / old.median - 1, -1.0, math.inf)
    total = sum(squares)
    parts = squares[0] ** 2 / old.freedom + squares[1] ** 2 / new.freedom
    freedom = total**2 / parts if parts else min(old.freedom, new.freedom)
    width = float(student.ppf((1 + confidence) / 2, freedom)) * math.sqrt(total)
    ratio = new.median / old.median
    return Change(ratio - 1, ratio * math.exp(-width) - 1, ratio * math.exp(width) - 1)


def _correlation(values: np.ndarray) -> float:
    """Of each value with the one before; of few values it comes out low by about 1 / n."""
    centred = values - values.mean()
    power = float(centred @ centred)
    if power == 0:
        return 0.0
    found = float(centred[1:] @ centred[:-1]) / power + 1 / len(values)
    return min(max(found, 0.0), LARGEST_CORRELATION)
