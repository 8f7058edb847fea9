"""Tasks as a run finds them: where their search begins, and what the journal holds of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import RequestError
from pipeline.records import Record, Records, canonical, read_records, record_families
from pipeline.tasks import Task
from pipeline.tune.bench import Bench
from pipeline.tune.conditions import schedules_digest
from pipeline.tune.entries import Candidate
from pipeline.tune.history import History, without_stale
from pipeline.tune.journal import Journal, TaskEntry
from pipeline.tune.kernel_search import KernelSearch
from pipeline.tune.kernel_space import KernelSpace
from pipeline.tune.kind import Kind, Tiles
from pipeline.tune.lessons import Lesson, all_lessons, nearest_lessons, outlook
from pipeline.tune.run_task import TaskRun, key_of
from pipeline.tune.search import Outlook, Proposal, Search
from pipeline.tune.similar import similar_tiles
from pipeline.tune.space import ListedSpace
from pipeline.tune.stage_search import StageSearch


def opened(  # noqa: PLR0913 - each is part of a run
    tasks: Sequence[Task], kind: Kind, records: Records, bench: Bench, journal: Journal,
    history: History, logs: Path, seed: int, best: Mapping[str, Tiles],
) -> tuple[list[TaskRun], list[Lesson]]:  # fmt: skip
    """The tasks of a phase with their searches, and what other tasks taught; new ones are noted.

    What a search begins with is decided once, or follows from other tasks alone, so that a later
    run goes on in the same order; only tiles that were imported since are added. Kernels begin with
    the `best` tiles of their stages.
    """
    known = {entry.task: entry for entry in journal.tasks()}
    imported, others = journal.imported(), _all_records(logs)
    subjects = [kind.subject(task, best) for task in tasks]
    keys = [key_of(task, subject) for task, subject in zip(tasks, subjects, strict=True)]
    lessons = all_lessons(journal, history, set(keys))
    own = {canonical(task.workload) for task in tasks}
    elsewhere = [record for key, record in records.by_key.items() if key not in own]
    runs, entries = [], []
    for task, subject, key in zip(tasks, subjects, keys, strict=True):
        space = subject.space()
        recorded = records.by_key.get(canonical(task.workload))
        whole = isinstance(space, KernelSpace)
        taught = [] if whole else nearest_lessons(task.workload, lessons)
        seeds = known[key].seeds if key in known else _seeds(task, space, records, others, taught)
        for tile in imported.get(canonical(task.workload), []):
            if all(tile != other for other, _ in seeds):
                seeds = [*seeds, (tile, "record")]
        entries.append(TaskEntry(key, task.kind, task.name, task.workload, seeds))
        search: Search
        if isinstance(space, KernelSpace):
            search = KernelSearch(space, seeds)
        else:
            # No run changes the record of an operator that it has not begun with.
            carried = [recorded, *elsewhere] if recorded else elsewhere
            hope = outlook(task, space, taught, carried, seed) if kind.foretold else Outlook()
            search = StageSearch(space, seeds, seed, hope)
        threads = kind.threads(task)
        usable = recorded if recorded is not None and space.fits(recorded.tile) else None
        runs.append(TaskRun(task, subject, search, bench, kind.family, threads, seed, usable))
    journal.add_tasks([entry for entry in entries if known.get(entry.task) != entry])
    return runs, lessons


def restore(runs: Sequence[TaskRun], history: History, journal: Journal) -> int:
    """Give the searches what was measured before; how many candidates count no more."""
    by_key = {run.key: run for run in runs}

    def program_of(candidate: Candidate) -> str | None:
        run = by_key[candidate.task]
        if not run.search.knows(candidate):
            return None
        return run.bench.workshop.program(run.file, candidate.tile)

    stale = without_stale(journal, history, set(by_key), schedules_digest(), program_of)
    for trial in history.trials:
        run = by_key.get(trial.candidate.task)
        if run is not None and run.search.knows(trial.candidate):
            run.add(trial)
    return stale


def pending(runs: Sequence[TaskRun], history: History) -> list[Candidate]:
    """What was proposed but not measured."""
    by_key = {run.key: run for run in runs}
    return [
        one for one in history.pending if one.task in by_key and by_key[one.task].search.knows(one)
    ]


def _seeds(
    task: Task, space: KernelSpace | ListedSpace, records: Records, others: Sequence[Record],
    taught: Sequence[Lesson],
) -> list[Proposal]:  # fmt: skip
    """The tile that is recorded for the workload, and those of operators like it.

    Where trials of such operators are known, the cost model knows better what to take from them.
    """
    recorded = records.by_key.get(canonical(task.workload))
    own: list[Proposal] = [(recorded.tile, "record")] if recorded else []
    if isinstance(space, KernelSpace) or taught:
        return own
    alike = similar_tiles(task.workload, space, others)
    return [*own, *((tile, "similar") for tile, _ in alike)]


def _all_records(logs: Path) -> list[Record]:
    """The records of every family in a folder, as far as they can be read."""
    found: list[Record] = []
    for family in record_families(logs):
        try:
            found += read_records(logs, family).by_key.values()
        except RequestError:
            continue
    return found
