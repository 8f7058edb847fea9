"""How far the measurements can be trusted, shown on a machine on which nothing else runs.

    make quiet                                   # all of it, in about half an hour
    python -m tests.measure.quiet_machine --pairs 10 --seconds 5
    python -m tests.measure.quiet_machine --folder study --minutes 4    # again until it is done

A model is measured against itself and against itself made 5 % slower, again and again, in as many
processes as a record run has; between that three times alone, minutes apart. What was seen is kept
in the folder, so that a study can be taken in pieces. Prints counts and ends with status 1 where a
bar is missed, 3 where it is not done.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from pipeline.bench import ACCUMULATORS
from pipeline.bundle import read_bundle
from pipeline.compare import MARGIN
from pipeline.compile import Recipe, compile_bundle
from pipeline.engines.registry import OURS, PEAK, EngineKind, Reads
from pipeline.measure import Participant, measure
from pipeline.models import load
from pipeline.peak import build_peak
from pipeline.peak_kernel import PeakKernel
from pipeline.progress import Steps
from pipeline.runner import RECORD, Plan
from pipeline.significance import Estimate, at_equal_clock, change, estimate
from pipeline.targets import host

SLOWED = EngineKind("slowed", "tests.measure.slowed_worker", Reads.BUNDLE)
SHARE = 0.05
# 38 of 40.
BAR = 0.95
SPREAD = 0.03
RUNS, PAUSE_SECONDS = 3, 120
UNDONE = 3


def taken(participant, ceiling, images, plan):
    """The rounds of one run of one engine, and of bare multiply-adds in turns with it."""
    (measured, loop), failures = measure([participant, ceiling], images, 1, plan)
    assert not failures, failures
    return measured.rounds, loop.rounds


def bare_multiply_adds(library: Path) -> Participant:
    """The loop that tells the clock, as `bench` has it."""
    target = host()
    kernel = PeakKernel(target.machine.lanes, ACCUMULATORS[target.machine.registers])
    build_peak(kernel, target.tvm, library)
    return Participant(PEAK, {"library": str(library), "kernel": asdict(kernel)})


def estimated(rounds, loops):
    """How well the median of an engine is known at equal clock."""
    return estimate(at_equal_clock(rounds, [1 / statistics.median(loop) for loop in loops]))


class Study:
    """What was seen so far, a line of JSON each, and how to see more."""

    def __init__(self, folder: Path, model: str, seconds: float) -> None:
        self.journal = folder / "journal.jsonl"
        self.plan = Plan(seconds=seconds, warm_up_seconds=0.5, processes=RECORD.processes)
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        self.seen = [json.loads(line) for line in lines]
        bundle = folder / "bundle"
        if not bundle.exists():
            compile_bundle(Recipe(model, "host", Path("tuning_logs")), bundle)
        self.source = {"bundle": str(read_bundle(bundle).folder.resolve())}
        self.ceiling = bare_multiply_adds(folder / "peak.so")
        self.images = [load(model).example.numpy()]
        self.last: Estimate | None = None

    def all(self, kind: str) -> list[dict]:
        """What was seen of pairs or of runs."""
        return [one for one in self.seen if one["kind"] == kind]

    def run_is_due(self) -> bool:
        """Whether the next run alone is minutes after the last one."""
        runs = self.all("run")
        return len(runs) < RUNS and (not runs or time.time() - runs[-1]["at"] >= PAUSE_SECONDS)

    def run(self) -> None:
        """The model alone."""
        rounds, _ = self._taken(Participant(OURS, self.source))
        median = statistics.median(sample for samples in rounds for sample in samples)
        self._keep({"kind": "run", "median": median, "at": time.time()})

    def pair(self) -> None:
        """The model against itself, and slowed down against that, each just measured."""
        seconds = self.all("run")[0]["median"]
        slowed = Participant(SLOWED, {**self.source, "share": SHARE, "seconds": seconds})
        ours = Participant(OURS, self.source)
        first = self.last or estimated(*self._taken(ours))
        again, planted = (estimated(*self._taken(one)) for one in (ours, slowed))
        self.last = again
        itself, found = change(first, again), change(again, planted)
        same = not (abs(itself.ratio) > MARGIN and itself.low * itself.high > 0)
        slower = found.ratio > MARGIN and found.low > 0
        ratios = {"itself": itself.ratio, "planted": found.ratio}
        self._keep({"kind": "pair", "same": same, "slower": slower, **ratios})

    def _taken(self, participant):
        return taken(participant, self.ceiling, self.images, self.plan)

    def _keep(self, what: dict) -> None:
        self.seen.append(what)
        with self.journal.open("a") as file:
            file.write(json.dumps(what) + "\n")


def take(study: Study, pairs: int, seconds: float, steps: Steps) -> bool:
    """Whether everything was seen within so many seconds."""
    end = time.monotonic() + seconds
    longest = 0.0
    while len(study.all("pair")) < pairs or len(study.all("run")) < RUNS:
        begun = time.monotonic()
        if begun + longest > end:
            return False
        done = len(study.all("pair"))
        steps.say(f"pair {done + 1} of {pairs}", done / pairs, (pairs - done) * longest)
        if study.run_is_due():
            study.run()
        elif done < pairs:
            study.pair()
        else:
            # Nothing is left but the next run alone, which has to be minutes after the last one.
            time.sleep(1)
        longest = max(longest, time.monotonic() - begun)
    return True


def verdict(study: Study, pairs: int) -> int:
    """Print the counts; the exit status."""
    seen, medians = study.all("pair")[:pairs], [one["median"] for one in study.all("run")]
    if not medians:
        print("nothing was measured yet")
        return UNDONE
    same, slower = (sum(one[name] for one in seen) for name in ("same", "slower"))
    spread = max(medians) / min(medians) - 1
    print(f"against itself: no difference in {same} of {len(seen)}")
    print(f"planted {SHARE:.0%} slow-down: found in {slower} of {len(seen)}")
    print(f"p50 of {len(medians)} runs, {PAUSE_SECONDS} s apart or more: within {spread:.1%}")
    if len(seen) < pairs or len(medians) < RUNS:
        return UNDONE
    return 0 if min(same, slower) >= BAR * pairs and spread <= SPREAD else 1


def main() -> int:
    """The exit status: whether every bar was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="shufflenet-1.0x-g3")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, help="keep what is seen there, and go on from it")
    parser.add_argument("--minutes", type=float, default=120.0, help="stop after so many")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, Steps(Console(stderr=True)) as steps:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        steps.say("compiling")
        study = Study(folder, asked.model, asked.seconds)
        take(study, asked.pairs, 60 * asked.minutes, steps)
    return verdict(study, asked.pairs)


if __name__ == "__main__":
    sys.exit(main())
