"""Tuning: the best tile of every operator, then the best strips of every kernel, as records.

    for stage in distinct operators:   measure tiles on the operator alone, one thread
    for kernel in distinct kernels:    measure strips with those tiles, one thread and all

Every measured candidate goes to the journal at once and every finished task to the records, so that
an interrupted run loses nothing and the next one goes on where it stopped.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.build import Lowered
from pipeline.environment import cpu_name
from pipeline.errors import RequestError
from pipeline.records import (
    Record,
    Records,
    read_records,
    records_path,
    write_records,
)
from pipeline.targets import Target
from pipeline.tasks import Task, tasks_of
from pipeline.tune.bench import Bench
from pipeline.tune.journal import Final, Journal, schedules_digest
from pipeline.tune.progress import Budget, Clock, Progress
from pipeline.tune.run_task import Setting, TaskRun

__all__ = ["Budget", "Progress", "Summary", "tune"]


@dataclass(frozen=True)
class Summary:
    """What a run did: `measured` and `failed` candidates are those of this run."""

    records: Path
    tasks: int
    measured: int
    failed: int
    tuned: tuple[Record, ...]


def tune(  # noqa: PLR0913 - each is part of a request
    lowered: Sequence[Lowered],
    target: Target,
    logs: Path,
    budget: Budget,
    seed: int = 0,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Summary:
    """Tune networks for a target, as far as the logs do not hold it yet.

    RequestError if another run tunes the same family or the logs do not fit; WorkFailedError if no
    candidate of a task works. KeyboardInterrupt leaves records of everything that was measured.
    """
    if budget.trials is not None and budget.trials < 1:
        raise RequestError(f"{budget.trials} trials measure nothing; ask for 1 or more")
    with _only_run(logs, target.family):
        records = read_records(logs, target.family)
        journal = Journal(logs, target.family, conditions())
        with Bench(target, seed) as bench:
            setting = Setting(target, bench, journal, budget, seed)
            return _Run(setting, logs, records, progress).run(tasks_of(*lowered))


class _Run:
    """One run over all tasks; `records` gains one after each."""

    def __init__(
        self, setting: Setting, logs: Path, records: Records, progress: Callable[[Progress], None]
    ) -> None:
        self.setting, self.logs, self.records, self.progress = setting, logs, records, progress
        self.measured = self.failed = 0

    def run(self, tasks: list[Task]) -> Summary:
        """Tune every task in order."""
        clock = Clock(self.setting.budget, [self._task(task).left for task in tasks])
        tuned = [self._tune(task, index, clock) for index, task in enumerate(tasks)]
        path = records_path(self.logs, self.records.family)
        return Summary(path, len(tasks), self.measured, self.failed, tuple(tuned))

    def _task(self, task: Task) -> TaskRun:
        return TaskRun(self.setting, task, self.records)

    def _tune(self, task: Task, index: int, clock: Clock) -> Record:
        run = self._task(task)
        before, failed = len(run.search.trials), len(run.search.failed)
        clock.begin(index)

        def told() -> None:
            clock.tick(index)
            self.progress(_progress(run, index, clock))

        try:
            run.measure(lambda: clock.over, told)
            record = self._write(run, run.outcome())
        except KeyboardInterrupt:
            known = run.interrupted()
            if known is not None:
                self._write(run, known)
            raise
        finally:
            self.measured += len(run.search.trials) - before
            self.failed += len(run.search.failed) - failed
        clock.finish(index)
        if len(run.search.trials) == before:
            self.progress(_progress(run, index, clock))
        return record

    def _write(self, run: TaskRun, final: Final) -> Record:
        """Add the record of a task to those on the disk."""
        tvm = metadata.version("apache-tvm")
        record = Record(
            run.task.workload,
            final.tile,
            final.seconds,
            final.hand_seconds,
            len(run.search.trials),
            len(run.search.failed),
            tvm,
            cpu_name(),
        )
        family, by_key = self.records.family, {**self.records.by_key, record.key: record}
        self.records = Records(family, by_key)
        write_records(self.logs, family, tvm, by_key.values())
        return record


def _progress(run: TaskRun, index: int, clock: Clock) -> Progress:
    search, task = run.search, run.task
    best = search.valid[0].seconds if search.valid else None
    return Progress(
        task=task.name,
        index=index + 1,
        count=len(clock.outstanding),
        trials=len(search.trials),
        total=run.total,
        valid=len(search.valid),
        failed=len(search.failed),
        best_seconds=best,
        best_gmacs=task.macs / best / 1e9 if best else None,
        hand_seconds=search.hand.seconds if search.hand else None,
        seconds_left=clock.seconds_left,
    )


def conditions() -> dict[str, str]:
    """What measured times are true for."""
    return {
        "tvm": metadata.version("apache-tvm"),
        "cpu": cpu_name(),
        "schedules": schedules_digest(),
    }


@contextmanager
def _only_run(logs: Path, family: str) -> Iterator[None]:
    """Keep every other run off the logs of the family."""
    logs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(logs / f"{family}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RequestError(
            f"another run is tuning {family} in {logs}; wait for it, or name another folder by"
            " --logs"
        ) from error
    try:
        yield
    finally:
        lock.release()
