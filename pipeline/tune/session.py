"""One run over all tasks: stages, then kernels, and a record of each."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
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
from pipeline.tune.in_network import Networks, competitors, decided_on
from pipeline.tune.journal import Journal
from pipeline.tune.kind import Kind, Tiles
from pipeline.tune.opening import opened, pending, restore
from pipeline.tune.phase import Phase, Round
from pipeline.tune.progress import NETWORKS, Progress, Tally
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
        networks: Networks | None = None,
    ) -> None:
        self.kind, self.logs, self.journal, self.bench = kind, logs, journal, bench
        self.budget, self.seed, self.progress, self.networks = budget, seed, progress, networks
        self.records = read_records(logs, kind.family)
        self.history = read_history(journal)
        self.schedules = schedules_digest()
        self.tally = Tally()
        self.tuned: dict[str, Record] = {}
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
        return Summary(path, len(tasks), self.tally, self.clock.run, tuple(self.tuned.values()))

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
            self._finish()
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

    def _finish(self) -> None:
        """Decide on every task, unless that was done with the same trials: on each alone, and on
        kernels then by what their tiles take in the networks."""
        new: list[tuple[TaskRun, Final]] = []
        for run in self.runs:
            final = self.history.finals.get(run.key)
            if final is None or not run.stands(final):
                final = run.final(lambda run=run: self._tell(run))  # type: ignore[misc]
                new.append((run, final))
            self._write(run, final)
            self._tell(run, finished=True)
        if self.networks is not None and new and new[0][0].task.kind == "kernel":
            new = self._in_networks(new, self.networks)
        for _, final in new:
            self.journal.finish(final, self.clock.lap())

    def _in_networks(
        self, new: Sequence[tuple[TaskRun, Final]], networks: Networks
    ) -> list[tuple[TaskRun, Final]]:
        """What is new, with the tiles that are fastest in the networks."""
        begun, total = time.monotonic(), len(networks.lowered)

        def told(done: int) -> None:
            each = (time.monotonic() - begun) / done if done else None
            left = None if each is None else each * (total - done)
            self._tell_networks(done, total, left)

        tiles = {key: [record.tile] for key, record in self.records.by_key.items()}
        own = {run.key: canonical(run.task.workload) for run, _ in new}
        tiles |= {own[run.key]: competitors(final, run.search, run.record) for run, final in new}
        fastest = networks.fastest(tiles, told)
        made = []
        for run, final in new:
            tile = tiles[own[run.key]][fastest[own[run.key]]]
            made.append((run, decided_on(tile, final, run.search)))
            self._write(*made[-1])
        changed = sum(one != other for one, other in zip(made, new, strict=True))
        line = f"{changed} of {len(new)} kernels take another tile, which is faster in the network"
        self._tell_networks(total, total, 0.0, [line])
        return made

    def _keep_what_is_known(self) -> None:
        """Records of tasks that were not decided on, by what was measured.

        Without the hand tile's time nobody knows whether what was found is faster than that.
        """
        for run in self.runs:
            known = canonical(run.search.hand_tile) in run.search.trials
            if canonical(run.task.workload) not in self.tuned and known and run.search.valid:
                self._write(run, run.decided(run.search.valid))

    def _write(self, run: TaskRun, final: Final) -> None:
        """Add the record of a task to those on the disk, where an unmeasured one stays."""
        family, tvm = self.records.family, metadata.version("apache-tvm")
        if (known := run.unmeasured) is not None and final.tile == known.tile:
            self.tuned[known.key] = known
            return
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
        self.tuned[record.key] = record

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

    def _tell_networks(
        self, done: int, total: int, left: float | None, news: Sequence[str] = ()
    ) -> None:
        self.entry.tell(self.state)
        told = self._where(self.runs[0], finished=False)
        told = replace(told, kind=NETWORKS, trials=done, total=total, seconds_left=left)
        self.progress(replace(told, news=[*told.news, *news]))

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
