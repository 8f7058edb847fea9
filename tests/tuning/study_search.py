"""How fast the search gets to its best, on a quiet machine: python -m tests.tuning.study_search.

    share               of the final speed after a quarter of the trials, tuned from nothing
    transfer            trials to within 5 % of the best, from another network's records and without

The time of a network is the sum over its operators of calls x best time so far. Each tunes whole
networks for real, from empty logs in a folder of its own, and takes some ten minutes.
"""

import sys
import tempfile
from math import inf
from pathlib import Path

from pipeline.build import Lowered, lower
from pipeline.models import InputSpec, load
from pipeline.records import records_path
from pipeline.targets import Target, host
from pipeline.tasks import tasks_of
from pipeline.tune.conditions import conditions
from pipeline.tune.history import read_history
from pipeline.tune.journal import Journal
from pipeline.tune.run_task import key_of
from pipeline.tune.space import Subject
from pipeline.tuning import Budget, Options, tune

HERO, OTHER = "shufflenet-1.0x-g3", "shufflenet-1.0x-g4"
TRIALS = 64
NEAR = 1.05


def network(name: str, target: Target, side: int) -> Lowered:
    """A network with seeded weights."""
    return lower(load(name, InputSpec(side, side)), target)


def tuned(lowered: Lowered, target: Target, logs: Path, trials: int) -> list[float]:
    """The network's time after each candidate of an operator, in the order measured."""
    tune([lowered], target, logs, Options(Budget(trials)), lambda _: None)
    calls = {
        key_of(task, Subject(task.kernel)): task.calls
        for task in tasks_of(lowered)
        if task.kind == "stage"
    }
    with Journal(logs, target.family, conditions(target), writing=False) as journal:
        trials_made = read_history(journal).trials
    best = dict.fromkeys(calls, inf)
    curve = []
    for trial in sorted(trials_made, key=lambda one: one.candidate.number):
        if trial.candidate.task in best:
            best[trial.candidate.task] = min(best[trial.candidate.task], trial.seconds or inf)
            curve.append(sum(calls[key] * seconds for key, seconds in best.items()))
    return curve


def share(trials: int, side: int) -> None:
    """The share of the final speed after a quarter of the trials."""
    target = host()
    with tempfile.TemporaryDirectory() as folder:
        curve = tuned(network(HERO, target, side), target, Path(folder), trials)
    quarter = curve[len(curve) // 4 - 1]
    print(f"{HERO}: {len(curve)} candidates; {quarter * 1e3:.3f} ms after a quarter,")
    print(f"{curve[-1] * 1e3:.3f} ms in the end: {curve[-1] / quarter:.1%} of the final speed")


def transfer(trials: int, side: int) -> None:
    """Trials of one network with and without the records of another."""
    target = host()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        cold = tuned(network(OTHER, target, side), target, Path(one), trials)
        tuned(network(HERO, target, side), target, Path(other), trials)
        seeds = records_path(Path(other), target.family).read_bytes()
        with tempfile.TemporaryDirectory() as fresh:
            records_path(Path(fresh), target.family).write_bytes(seeds)
            warm = tuned(network(OTHER, target, side), target, Path(fresh), trials)
    best = min(*cold, *warm)
    needed = [next((n for n, t in enumerate(c, 1) if t <= NEAR * best), None) for c in (cold, warm)]
    print(f"{OTHER}: best {best * 1e3:.3f} ms; candidates to within {NEAR - 1:.0%} of it:")
    print(f"{needed[0]} from nothing, {needed[1]} from the records of {HERO}")
    print(f"each begins with one of every operator, {sum(t == inf for t in warm) + 1} in all")


STUDIES = {"share": share, "transfer": transfer}

if __name__ == "__main__":
    words = sys.argv[1:]
    if not words or words[0] not in STUDIES:
        sys.exit(f"usage: python -m tests.tuning.study_search {'|'.join(STUDIES)} [TRIALS] [SIDE]")
    count, side = [*map(int, words[1:]), *(TRIALS, 224)[len(words) - 1 :]]
    STUDIES[words[0]](count, side)
