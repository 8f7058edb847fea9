"""How fast the search gets to its best, on a quiet machine: python -m tests.tuning.study_search.

    share       of the final speed after a quarter of the candidates, tuned from nothing
    transfer    candidates to within 5 % and 2 % of the best: from nothing, from another network's
                records, and from its journal with all its candidates
    blind       the same where no operator has a tile by hand, but one drawn at random in its place,
                for three draws

The time of a network after n candidates is that of the code that would be compiled if tuning
stopped there: the sum over its operators of calls x the fastest time among its candidates so far.
An operator of which none was measured counts with its hand tile, which is what a build uses without
a record; its time is known, as every run measures every hand tile in the end. What the journal knew
before the run counts from the start.

Every candidate counts, hand tiles and failures too, in the order measured, and in all runs alike;
the runs differ in what lies in the log folder only. A run goes by the times that it measured. When
all are done, whatever was the fastest of an operator at some point of some run is timed once more,
in turns with the others and the hand tile, and is valued by that: so a slow minute of the machine
favours no run. The best is the least time that any of them reached. As a second, stricter figure,
operators count as endless until one of their candidates is measured: then no run can be shorter
than one candidate of each, however much it knows. Where tiles by hand are as good as the best,
nothing is left for another network's records to teach; `blind` shows what these are worth where
they are not. The third asks every operator for itself: how
many of its own candidates are measured before one is so near to the operator's best, none if the
hand tile is; the sum over all does not depend on which came first.

Each run tunes the operators of a whole network for real and takes about a minute. With a FOLDER
for the logs, a study that was stopped goes on when it is asked for again.
"""

import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from random import Random
from shutil import copy
from unittest.mock import patch

from pipeline.build import lower
from pipeline.models import InputSpec, load
from pipeline.records import canonical, records_path
from pipeline.targets import Target, host
from pipeline.tasks import Task, tasks_of
from pipeline.tile_fields import TileFields
from pipeline.tune.bench import Equipment, equipped
from pipeline.tune.budget import Budget
from pipeline.tune.conditions import conditions
from pipeline.tune.cpu_kind import CpuKind
from pipeline.tune.cpu_subject import CpuSubject
from pipeline.tune.entries import Candidate, Outcome, Trial
from pipeline.tune.history import read_history
from pipeline.tune.journal import Journal, journal_path
from pipeline.tune.run_task import TaskRun, key_of
from pipeline.tune.search import Outlook
from pipeline.tune.session import Session
from pipeline.tune.stage_search import StageSearch
from pipeline.tune.stage_space import StageSpace

HERO, OTHER = "shufflenet-1.0x-g3", "shufflenet-1.0x-g4"
TRIALS = 64
NEAR = (1.05, 1.02)
SEED = 0
DRAWS = 3


Tile = tuple[str, str]


@dataclass(frozen=True)
class Run:
    """What the log folder held of the operators before a run, and what the run measured."""

    before: list[Trial]
    new: list[Trial]


@dataclass(frozen=True)
class Curve:
    """The network's times after each number of candidates, from none on, in both ways to count."""

    times: list[float]
    strict: list[float]


def operators(name: str, target: Target) -> list[Task]:
    """The operators of a network."""
    lowered = lower(load(name, InputSpec(224, 224)), target)
    return [task for task in tasks_of(lowered) if task.kind == "stage"]


def tuned(tasks: list[Task], target: Target, logs: Path, trials: int, known: int = 0) -> Run:
    """Tune operators with what is in the log folder, of which so many candidates are of others."""
    about = conditions(target)
    with (
        tempfile.TemporaryDirectory() as work,
        Journal(logs, target.family, about) as journal,
        equipped(CpuKind(target), ("local",), Path(work), Equipment()) as bench,
    ):
        session = Session(
            CpuKind(target), logs, journal, bench, Budget(trials), SEED, lambda _: None
        )
        tally = session.run(tasks, "study").tally
        found = sorted(read_history(journal).trials, key=lambda one: one.candidate.number)
    print(f"{tally.measured} candidates, {tally.failed} failed", flush=True)
    keys = {key_of(task, CpuSubject(task.kernel, target)) for task in tasks}
    own = [one for one in found if one.candidate.task in keys]
    return Run(
        [one for one in own if one.candidate.number < known],
        [one for one in own if one.candidate.number >= known],
    )


def values(tasks: list[Task], target: Target, runs: Iterable[Run]) -> dict[Tile, float]:
    """The times of the hand tiles and of all that was the fastest in a run, taken in turns."""
    served = [trial for run in runs for trial in leaders(run)]
    value: dict[Tile, float] = {}
    with (
        tempfile.TemporaryDirectory() as work,
        equipped(CpuKind(target), ("local",), Path(work), Equipment()) as bench,
    ):
        for task in tasks:
            space = StageSpace(task.kernel, target.machine)
            search = StageSearch(space, (), SEED, Outlook())
            run = TaskRun(
                task,
                CpuSubject(task.kernel, target),
                search,
                bench,
                target.family,
                (1,),
                SEED,
                None,
            )
            hand = Candidate(0, 0, run.key, space.hand, "hand")
            own = [one.candidate for one in served if one.candidate.task == run.key]
            tiles = {one.key: Trial(one, Outcome(None)) for one in (hand, *own)}
            for trial in run.again(list(tiles.values()), lambda: None):
                value[run.key, trial.key] = trial.seconds or inf
    return value


def leaders(run: Run) -> list[Trial]:
    """Every trial that was the fastest of its operator when it was measured."""
    best: dict[str, Trial] = {}
    found = []
    for trial in (*run.before, *run.new):
        _take(best, trial)
        if best.get(trial.candidate.task) is trial:
            found.append(trial)
    return found


def curve(tasks: list[Task], target: Target, run: Run, value: dict[Tile, float]) -> Curve:
    """How the network's time falls with each of the new candidates."""
    calls = {key_of(task, CpuSubject(task.kernel, target)): task.calls for task in tasks}
    hand = {
        key_of(task, CpuSubject(task.kernel, target)): canonical(
            StageSpace(task.kernel, target.machine).hand
        )
        for task in tasks
    }
    best: dict[str, Trial] = {}
    for trial in run.before:
        _take(best, trial)
    times, strict = [], []
    for new in (None, *run.new):
        if new is not None:
            _take(best, new)
        tiles = {key: best[key].key if key in best else hand[key] for key in calls}
        times.append(sum(count * value[key, tiles[key]] for key, count in calls.items()))
        strict.append(times[-1] if len(best) == len(calls) else inf)
    return Curve(times, strict)


def apart(
    tasks: list[Task], target: Target, run: Run, value: dict[Tile, float], near: float
) -> list[int]:
    """Of each operator its new candidates up to the first that is near to its best, or all."""
    counts = []
    for task in tasks:
        key = key_of(task, CpuSubject(task.kernel, target))
        hand = canonical(StageSpace(task.kernel, target.machine).hand)
        limit = near * min(time for (of, _), time in value.items() if of == key)
        known = [hand, *(one.key for one in run.before if one.candidate.task == key)]
        if any(value.get((key, tile), inf) <= limit for tile in known):
            continue
        new = [value.get((key, one.key), inf) for one in run.new if one.candidate.task == key]
        first = needed(new, limit)
        counts.append(len(new) if first is None else first + 1)
    return counts


def needed(times: list[float], limit: float) -> int | None:
    """Candidates until the network takes at most so long."""
    return next((count for count, time in enumerate(times) if time <= limit), None)


def _take(best: dict[str, Trial], trial: Trial) -> None:
    task = trial.candidate.task
    if trial.seconds is None:
        return
    if task not in best or trial.seconds < (best[task].seconds or inf):
        best[task] = trial


def share(trials: int, folder: Path) -> None:
    """The share of the final speed after a quarter of the candidates."""
    target = host()
    tasks = operators(HERO, target)
    run = tuned(tasks, target, folder / "hero", trials)
    times = curve(tasks, target, run, values(tasks, target, [run])).times
    quarter = times[(len(times) - 1) // 4]
    print(f"{HERO}: {len(times) - 1} candidates; {quarter * 1e3:.3f} ms after a quarter,")
    print(f"{times[-1] * 1e3:.3f} ms in the end: {times[-1] / quarter:.1%} of the final speed")


def transfer(trials: int, folder: Path) -> None:
    """Candidates of one network with and without what another one left."""
    target = host()
    tasks = operators(OTHER, target)
    cold, records, journal, teacher = (
        folder / name for name in ("cold", "records", "journal", "teacher")
    )
    runs = {"nothing": tuned(tasks, target, cold, trials)}
    tuned(operators(HERO, target), target, teacher, trials)
    with Journal(teacher, target.family, conditions(target), writing=False) as opened:
        known = read_history(opened).next_number
    for logs, files in ((records, [records_path]), (journal, [records_path, journal_path])):
        if not logs.exists():
            logs.mkdir(parents=True)
            for path in files:
                copy(path(teacher, target.family), logs)
    runs[f"the records of {HERO}"] = tuned(tasks, target, records, trials)
    runs[f"the journal of {HERO}"] = tuned(tasks, target, journal, trials, known)
    value = values(tasks, target, runs.values())
    curves = {name: curve(tasks, target, run, value) for name, run in runs.items()}
    best = min(time for one in curves.values() for time in one.times)
    print(f"{OTHER}: {len(tasks)} operators, best {best * 1e3:.3f} ms")
    for name, one in curves.items():
        print(f"from {name}: {one.times[0] * 1e3:.3f} ms at first,", end=" ")
        print(", ".join(f"{time * 1e3:.3f} after {count}" for count, time in steps(one.times)))
        for near in NEAR:
            loose, strict = needed(one.times, near * best), needed(one.strict, near * best)
            each = apart(tasks, target, runs[name], value, near)
            print(f"  {near:.0%} of the best after {loose} candidates, {strict} strictly,", end=" ")
            print(f"{sum(each)} for {len(each)} operators each for itself")


def blind(trials: int, folder: Path) -> None:
    """The same with a tile drawn at random in the place of every tile by hand, for some draws."""
    for draw in range(DRAWS):

        def drawn(space: StageSpace, draw: int = draw) -> TileFields:
            return Random(f"{draw} {space.stage.work}").choice(space.tiles)

        print(f"draw {draw}")
        with patch.object(StageSpace, "hand", property(drawn)):
            transfer(trials, folder / f"draw{draw}")


def steps(times: list[float]) -> list[tuple[int, float]]:
    """Some points of a curve."""
    return [(count, times[count]) for count in (8, 16, 32, 64, 128, 256) if count < len(times)]


STUDIES = {"share": share, "transfer": transfer, "blind": blind}

if __name__ == "__main__":
    words = sys.argv[1:]
    if not words or words[0] not in STUDIES:
        sys.exit(
            f"usage: python -m tests.tuning.study_search {'|'.join(STUDIES)} [TRIALS [FOLDER]]"
        )
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(words[2] if len(words) > 2 else temporary)
        STUDIES[words[0]](int(words[1]) if len(words) > 1 else TRIALS, place)
