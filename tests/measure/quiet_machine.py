"""How far the measurements can be trusted, shown on a machine on which nothing else runs.

    make quiet                                   # all of it, in about half an hour
    python -m tests.measure.quiet_machine --pairs 10 --seconds 5

A model is measured against itself and against itself made 5 % slower, again and again; then three
times, minutes apart. Prints counts and ends with status 1 where a bar is missed.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from pipeline.compare import MARGIN
from pipeline.compile import Recipe, compile_bundle
from pipeline.engines.registry import OURS, EngineKind, Reads
from pipeline.measure import Participant, measure
from pipeline.progress import Steps
from pipeline.runner import Plan
from pipeline.significance import change, estimate

SLOWED = EngineKind("slowed", "tests.measure.slowed_worker", Reads.BUNDLE)
SHARE = 0.05
# 38 of 40.
BAR = 0.95
SPREAD = 0.03
RUNS, PAUSE_SECONDS = 3, 120


def taken(participant, images, plan):
    """The rounds of one run of one engine."""
    (measured,), failures = measure([participant], images, 1, plan)
    assert not failures, failures
    return measured.rounds


def main() -> int:
    """The exit status: whether every bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="shufflenet-1.0x-g3")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    plan = Plan(seconds=asked.seconds, limit_seconds=4 * asked.seconds)
    same = slower = 0
    with tempfile.TemporaryDirectory() as folder, Steps(Console(stderr=True)) as steps:
        recipe = Recipe(asked.model, "host", Path("tuning_logs"))
        made = compile_bundle(recipe, Path(folder) / "bundle", progress=steps.say)
        images = [made.model.example.numpy()]
        source = {"bundle": str(made.bundle.folder)}
        ours = Participant(OURS, source)
        seconds = estimate(taken(ours, images, plan)).median
        slowed = Participant(SLOWED, {**source, "share": SHARE, "seconds": seconds})
        for pair in range(asked.pairs):
            left = (asked.pairs - pair) * 3 * (asked.seconds + 5)
            steps.say(f"pair {pair + 1} of {asked.pairs}", pair / asked.pairs, left)
            rounds = [taken(one, images, plan) for one in (ours, ours, slowed)]
            first, again, planted = map(estimate, rounds)
            itself, found = change(first, again), change(first, planted)
            same += not (abs(itself.ratio) > MARGIN and itself.low * itself.high > 0)
            slower += found.ratio > MARGIN and found.low > 0
        medians = []
        for run in range(RUNS):
            steps.say(f"run {run + 1} of {RUNS}", run / RUNS, (RUNS - run) * PAUSE_SECONDS)
            medians.append(statistics.median(s for r in taken(ours, images, plan) for s in r))
            # The question is what minutes between two runs change.
            time.sleep(PAUSE_SECONDS if run + 1 < RUNS else 0)
    spread = max(medians) / min(medians) - 1
    print(f"against itself: no difference in {same} of {asked.pairs}")
    print(f"planted {SHARE:.0%} slow-down: found in {slower} of {asked.pairs}")
    print(f"p50 of {RUNS} runs, {PAUSE_SECONDS} s apart: within {spread:.1%}")
    good = min(same, slower) >= BAR * asked.pairs and spread <= SPREAD
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
