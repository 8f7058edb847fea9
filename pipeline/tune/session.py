"""One run over all tasks: stages, then kernels, and a record of each."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.records import Record, Records, canonical, read_records, records_path, write_records
from pipeline.tasks import Task
from pipeline.tune.bench import Bench
from pipeline.tune.budget import KERNEL_TRIALS, STAGES_SHARE, Budget, Clock
from pipeline.tune.conditions import schedules_digest
from pipeline.tune.entries import Candidate, Final, Trial
from pipeline.tune.history import read_history
from pipeline.tune.journal import Journal
from pipeline.tune.kind import Kind, Tiles
from pipeline.tune.opening import opened, pending, restore
from pipeline.tune.phase import Phase, Round
from pipeline.tune.progress import Progress, Tally
from pipeline.tune.run_task import TaskRun
from pipeline.tune.stage_tiles import best_tiles


@dataclass(frozen=True)
class Summary:
    """What a run did: the `tally` and the `seconds` are of this run alone."""

    records: Path
    tasks: int
    tally: Tally
    seconds: float
    tuned: tuple[Record, ...]


class Session:
    """Holds what a run knows; `run` is called once."""

    def __init__(  # noqa: PLR0913 - each is part of a run
        self,
        kind: Kind,
        logs: Path,
        journal: Journal,
        bench: Bench,
        budget: Budget,
        seed: int,
        progress: Callable[[Progress], None],
    ) -> None:
        self.kind, self.logs, self.journal, self.bench = kind, logs, journal, bench
        self.budget, self.seed, self.progress = budget, seed, progress
        self.records = read_records(logs, kind.family)
        self.history = read_history(journal)
        self.schedules = schedules_digest()
        self.tally = Tally()
        self.tuned: list[Record] = []
        self.runs: list[TaskRun] = []

    def run(self, tasks: Sequence[Task], request: str) -> Summary:
        """Tune every task; the records of all."""
        self.tasks = len(tasks)
        self.entry = self.journal.begin_run(request)
        self.clock = Clock(self.budget, self._spent(tasks))
        stages = [task for task in tasks if task.kind == "stage"]
        kernels = [task for task in tasks if task.kind == "kernel"]
        self.reserved = KERNEL_TRIALS * len(kernels)
        try:
            self._phase(stages, {}, self._stages_over)
            best = best_tiles(self.runs, self.records)
            self._phase(kernels, best, lambda: self.clock.left <= 0)
        finally:
            self.entry.tell(self.state, end=True)
        path = records_path(self.logs, self.records.family)
        return Summary(path, len(tasks), self.tally, self.clock.run, tuple(self.tuned))

    @property
    def state(self) -> dict[str, Any]:
        """What another shell is shown."""
        trials = sum(len(run.search.trials) for run in self.runs)
        progress = {"tasks": self.tasks, "finished": len(self.tuned), "trials": trials}
        kind = self.runs[0].task.kind if self.runs else ""
        return {**progress, "kind": kind, **asdict(self.tally), "seconds": self.clock.run}

    def _phase(
        self, tasks: Sequence[Task], best: Mapping[str, Tiles], over: Callable[[], bool]
    ) -> None:
        """Measure candidates of these tasks, and decide on each."""
        if not tasks:
            return
        bench, limit = self.bench, self.budget.limit * len(tasks)
        self.runs, lessons = opened(
            tasks, self.kind, self.records, bench, self.journal, self.history, self.logs,
            self.seed, best,
        )  # fmt: skip
        self.tally.rejected += sum(run.search.rejected for run in self.runs)
        self.tally.stale += restore(self.runs, self.history, self.journal)
        self.total = int(min(limit, sum(run.search.size for run in self.runs)))
        executor = ThreadPoolExecutor(bench.pool.size, thread_name_prefix="device")
        phase = Phase(
            self.runs, bench, limit, self.history.next_round, executor,
            self._propose, self._record, over, self.seed, lessons,
        )  # fmt: skip
        try:
            phase.run(pending(self.runs, self.history))
            for run in self.runs:
                self._finish(run)
        except KeyboardInterrupt:
            self._keep_what_is_known()
            raise
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
        self.history.next_round = phase.next_round
        self.tally.searching += phase.searching

    def _propose(self, round_: Round, round_number: int) -> list[Candidate]:
        number = self.history.next_number
        self.history.next_number += len(round_)
        rows = [(run.key, tile, origin) for run, (tile, origin) in round_]
        return self.journal.propose(rows, number, round_number)

    def _record(self, run: TaskRun, trial: Trial) -> None:
        self.journal.add(trial, self.clock.lap(), self.schedules)
        self.tally.count(trial)
        self._tell(run)

    def _finish(self, run: TaskRun) -> None:
        """Decide on a task, unless that was done with the same trials."""
        final = self.history.finals.get(run.key)
        if final is None or final.trials != len(run.search.trials):
            final = run.final(lambda: self._tell(run))
            self.journal.finish(final, self.clock.lap())
        self.tuned.append(self._write(run, final))
        self._tell(run, finished=True)

    def _keep_what_is_known(self) -> None:
        """Records of tasks that were not decided on, by what was measured.

        Without the hand tile's time nobody knows whether what was found is faster than that.
        """
        decided = {record.key for record in self.tuned}
        for run in self.runs:
            known = canonical(run.search.hand_tile) in run.search.trials
            if canonical(run.task.workload) not in decided and known and run.search.valid:
                self._write(run, run.decided(run.search.valid))

    def _write(self, run: TaskRun, final: Final) -> Record:
        """Add the record of a task to those on the disk."""
        family, tvm = self.records.family, metadata.version("apache-tvm")
        record = Record(
            family,
            run.task.workload,
            final.tile,
            final.seconds,
            final.hand_seconds,
            len(run.search.trials),
            len(run.search.failed),
            tvm,
            str(self.journal.about["device"]),
        )
        by_key = {**self.records.by_key, record.key: record}
        self.records = Records(family, by_key, self.records.outdated)
        write_records(self.logs, self.records)
        return record

    def _spent(self, tasks: Sequence[Task]) -> float:
        """Seconds that these tasks took in earlier runs, with whatever tiles."""
        wanted = {canonical(task.workload) for task in tasks}
        keys = {one.task for one in self.journal.tasks() if canonical(one.workload) in wanted}
        return sum(seconds for key, seconds in self.history.spent.items() if key in keys)

    def _stages_over(self) -> bool:
        """Whether what is left of the time is needed for kernels."""
        if self.budget.seconds is None:
            return False
        each = self.clock.run / self.tally.measured if self.tally.measured else 0.0
        kernels = min(each * self.reserved, self.budget.seconds * STAGES_SHARE)
        return self.clock.left <= kernels

    def _tell(self, run: TaskRun, finished: bool = False) -> None:
        self.entry.tell(self.state)
        self.progress(self._where(run, finished))

    def _where(self, run: TaskRun, finished: bool) -> Progress:
        search, task = run.search, run.task
        best = search.valid[0].seconds if search.valid else None
        trials = sum(len(one.search.trials) for one in self.runs)
        each = self.clock.run / self.tally.measured if self.tally.measured else None
        left = None if each is None else min(each * max(self.total - trials, 0), self.clock.left)
        return Progress(
            kind=task.kind,
            task=task.name,
            task_finished=finished,
            task_trials=len(search.trials),
            task_failed=len(search.failed),
            best_seconds=best,
            best_gmacs=task.macs / best / 1e9 if best else None,
            hand_seconds=search.hand.seconds if search.hand else None,
            trials=trials,
            total=max(self.total, trials),
            finished=len(self.tuned),
            tasks=self.tasks,
            seconds_left=left,
            news=self.bench.pool.news(),
        )
