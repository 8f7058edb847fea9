"""From samples to percentiles and a verdict on them."""

import statistics
from collections.abc import Sequence

import numpy as np

from pipeline.results import Latency, Verdict

# Beyond these a difference between two engines may be the machine's and not theirs.
LARGEST_TAIL = 0.15  # (p90 - p50) / p50
LARGEST_DRIFT = 0.05  # p90 - p10 of the rounds' medians, over their median
# p99 of fewer samples is the largest one or two of them.
FEWEST_SAMPLES = 100


def latency(samples_ms: Sequence[float]) -> Latency:
    """The percentiles of a result, in milliseconds."""
    p50, p90, p99 = (float(np.percentile(samples_ms, q)) for q in (50, 90, 99))
    return Latency(n=len(samples_ms), min=min(samples_ms), p50=p50, p90=p90, p99=p99)


def tail(samples: Sequence[float]) -> float:
    """How far the slowest tenth is above the median."""
    p50, p90 = np.percentile(samples, [50, 90])
    return float((p90 - p50) / p50)


def drift(rounds: Sequence[Sequence[float]]) -> float:
    """How far the medians of the rounds lie apart, without the outermost tenth at each end."""
    medians = [statistics.median(samples) for samples in rounds]
    p10, p50, p90 = np.percentile(medians, [10, 50, 90])
    return float((p90 - p10) / p50)


def judge(rounds: Sequence[Sequence[float]], fewest: int = FEWEST_SAMPLES) -> tuple[Verdict, str]:
    """Whether the samples can be compared, and one line on what to do where they cannot."""
    samples = [sample for samples in rounds for sample in samples]
    if len(samples) < fewest:
        return Verdict.UNSTABLE, f"only {len(samples)} samples; give the measurement more time"
    if (apart := drift(rounds)) > LARGEST_DRIFT:
        return Verdict.UNSTABLE, (
            f"medians of the rounds lie {apart:.0%} apart; the clock or the load of the machine "
            "changes: pin the frequency, let it cool, or measure longer"
        )
    if (above := tail(samples)) > LARGEST_TAIL:
        return Verdict.UNSTABLE, (
            f"p90 is {above:.0%} above p50; something else runs on these cores: stop it, or use "
            "fewer threads"
        )
    return Verdict.VALID, ""
