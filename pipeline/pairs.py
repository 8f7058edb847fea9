"""MobileNet's time over ShuffleNet's."""

import statistics

from pipeline.results import Result

OPPONENT, HERO = "mobilenet", "shufflenet"


def is_pair(rival: Result, hero: Result) -> bool:
    """Whether two results are of a MobileNet and a ShuffleNet, and alike in all else."""
    kinds = rival.model.startswith(OPPONENT) and hero.model.startswith(HERO)
    return kinds and (rival.engine, *rival.contest[1:]) == (hero.engine, *hero.contest[1:])


def time_ratio(rival: Result, hero: Result) -> float:
    """The time of one network over that of another on the same engine.

    Where both took turns it is the median over rounds of what their medians are to each other, and
    otherwise what those of all samples are.
    """
    rounds = [
        statistics.median(slow) / statistics.median(fast)
        for slow, fast in zip(rival.turns_ms, hero.turns_ms, strict=False)
    ]
    return statistics.median(rounds) if rounds else rival.latency_ms.p50 / hero.latency_ms.p50
