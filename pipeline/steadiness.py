"""From samples to percentiles and a verdict on them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.load import Load
from pipeline.results import Latency, Verdict
from pipeline.runner import Plan
from pipeline.significance import estimate

Rounds = Sequence[Sequence[float]]

# Beyond these a difference between two engines may be the machine's and not theirs.
LARGEST_TAIL = 0.15  # (p90 - p50) / p50
LARGEST_DRIFT = 0.05  # p90 - p10 of the rounds' medians, over their median
# A loop of multiply-adds touches no memory: if it slows down by this, the clock did.
LARGEST_SLOWDOWN = 0.05
# The first and the last part of a measurement, by which a slow-down is seen.
PART = 1 / 3
STANDARD = Plan()
# Cores; a fifth of one is more than what a desktop does by itself.
BUSY = 0.2
# How many times as long as in another round cores wait for each other that were moved meanwhile.
# Measured on a virtual machine of Zen 4: 260 to 290 ns where they are near, 305 to 380 where far.
MOVED = 1.15


@dataclass(frozen=True)
class Ceiling:
    """The loop of nothing but multiply-adds: its rate, and its samples by round; and nanoseconds
    that cores wait for each other, by round, if there are several."""

    gmacs: float
    rounds: Rounds
    handover_ns: Sequence[float] = ()

    @property
    def gmacs_by_round(self) -> list[float]:
        """What it reached in each round."""
        medians = [statistics.median(samples) for samples in self.rounds]
        if not medians:
            return []
        whole = statistics.median(sample for samples in self.rounds for sample in samples)
        return [self.gmacs * whole / median for median in medians]


def latency(samples_ms: Sequence[float]) -> Latency:
    """The percentiles of a result, in milliseconds."""
    p50, p90, p99 = (float(np.percentile(samples_ms, q)) for q in (50, 90, 99))
    return Latency(n=len(samples_ms), min=min(samples_ms), p50=p50, p90=p90, p99=p99)


def tail(samples: Sequence[float]) -> float:
    """How far the slowest tenth is above the median."""
    p50, p90 = np.percentile(samples, [50, 90])
    return float((p90 - p50) / p50)


def drift(rounds: Rounds) -> float:
    """How far the medians of the rounds lie apart, without the outermost tenth at each end."""
    medians = [statistics.median(samples) for samples in rounds]
    p10, p50, p90 = np.percentile(medians, [10, 50, 90])
    return float((p90 - p10) / p50)


def slowdown(rounds: Rounds) -> float:
    """By what share the last third of the rounds takes longer than the first."""
    part = int(len(rounds) * PART)
    if part == 0:
        return 0.0
    medians = [statistics.median(samples) for samples in rounds]
    return statistics.median(medians[-part:]) / statistics.median(medians[:part]) - 1


def judge(
    rounds: Rounds,
    plan: Plan = STANDARD,
    ceiling: Rounds = (),
    load: Load | None = None,
    waits: Sequence[float] = (),
) -> tuple[Verdict, str]:
    """Whether the samples can be compared; where not, in a line, why, and after "; " the cure.

    `rounds` hold seconds, and so does `ceiling`, the loop of multiply-adds in turns with these;
    `waits` are nanoseconds, by rounds, that cores waited for each other.
    """
    samples = [sample for samples in rounds for sample in samples]
    if not plan.is_enough(len(samples), sum(samples)):
        return Verdict.UNSTABLE, f"only {len(samples)} samples; give the measurement more time"
    if (slower := slowdown(ceiling)) > LARGEST_SLOWDOWN:
        return Verdict.THROTTLED, (
            f"bare multiply-adds became {slower:.0%} slower meanwhile, so the clock fell; let the "
            "machine cool, or pin a frequency that it can hold"
        )
    cure = _cure(load, waits)
    if (apart := drift(rounds)) > LARGEST_DRIFT:
        return Verdict.UNSTABLE, f"medians of the rounds lie {apart:.0%} apart; {cure}"
    if (above := tail(samples)) > LARGEST_TAIL:
        return Verdict.UNSTABLE, f"p90 is {above:.0%} above p50; {cure}"
    if plan.precision and (width := estimate(rounds).half_width()) > plan.precision:
        return Verdict.UNSTABLE, f"the median is known to {width:.1%} only; {cure}"
    return Verdict.VALID, ""


def _cure(load: Load | None, waits: Sequence[float]) -> str:
    """What most likely helps."""
    if load and load.stolen > BUSY:
        return f"the host kept {load.stolen:.1f} cores for others: use another host, or wait"
    if load and load.others > BUSY:
        return f"other programs had {load.others:.1f} cores: stop them, or use fewer threads"
    if waits and max(waits) > MOVED * min(waits):
        return "the host moves cores nearer and farther: give them one cache, or measure again"
    return "clock or load of the machine change: pin the frequency, let it cool, measure longer"
