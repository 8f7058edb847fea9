"""One task while it is tuned: its candidates, and how one of them is built and measured."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from statistics import median
from typing import Any

from pipeline.errors import WorkFailedError
from pipeline.records import Record, canonical
from pipeline.tasks import Task
from pipeline.tile_fields import TileFields
from pipeline.tune.bench import Bench
from pipeline.tune.conditions import task_key
from pipeline.tune.devices import CandidateError, Care, Device, Job
from pipeline.tune.entries import Candidate, Final, Outcome, Trial
from pipeline.tune.search import Search, winner
from pipeline.tune.space import Subject
from pipeline.tune.workshop import BuildError, Library, Reference

# Timings of a candidate that a short look does not find so much above the best that no noise
# explains it; each is long enough that the clock's resolution does not matter.
REPEATS, REPEAT_MS = 5, 4
SLOW = 1.2
# Times that each finalist is measured anew, one after the other, and timings of each.
ROUNDS = 3
FINAL_REPEATS = 3
# Arguments that a candidate is checked with before it counts as the best.
CHECK_SEEDS = 3


@dataclass
class TaskRun:
    """A task, what is on `record` of it that can be made, its search, and the libraries that were
    built of its candidates."""

    task: Task
    subject: Subject
    search: Search
    bench: Bench
    family: str
    threads: tuple[int, ...]
    seed: int
    record: Record | None
    libraries: dict[str, Library] = field(default_factory=dict)
    best: float = inf

    @cached_property
    def key(self) -> str:
        """The name of the task in the journal, with the tiles that a kernel chooses from."""
        return key_of(self.task, self.subject)

    @cached_property
    def file(self) -> str:
        """Where builders find the subject."""
        return self.bench.workshop.subject(self.subject, self.key)

    @cached_property
    def reference(self) -> Future[Reference]:
        """What candidates are compared with, and their arguments."""
        seeds = tuple(self.seed + number for number in range(CHECK_SEEDS))
        return self.bench.workshop.reference(self.file, seeds)

    @property
    def job(self) -> Job:
        """What a device has to know."""
        made = self.reference.result()
        return Job(self.key, made.inputs, self.subject.parameters, made.path, self.threads)

    def add(self, trial: Trial) -> None:
        """Take the result of a candidate of this run or an earlier one."""
        self.search.add(trial)
        self.best = min(self.best, inf if trial.seconds is None else trial.seconds)

    def build(self, candidate: Candidate) -> Future[Library]:
        """Begin to build a candidate, and what it is compared with."""
        assert self.reference
        return self.bench.workshop.build(self.file, candidate.tile)

    def attempt(self, candidate: Candidate, building: Future[Library], waited: float) -> Trial:
        """Measure a candidate that is built; that it fails is a result too."""
        begun = time.monotonic()
        try:
            library, job = building.result(), self.job
        except BuildError as error:
            return Trial(candidate, Outcome(None, str(error)))
        self.libraries[candidate.key] = library
        care = Care(REPEATS, REPEAT_MS, self.best * SLOW, self.best)
        outcome = self._measured(candidate.tile, library, job, care)
        self.best = min(self.best, outcome.seconds or inf)
        outcome = replace(
            outcome,
            build_seconds=library.seconds,
            measure_seconds=time.monotonic() - begun,
            wait_seconds=waited,
        )
        return Trial(candidate, outcome)

    def explained(self, trial: Trial) -> Trial:
        """With the trace of a candidate that computes something else."""
        trace = self.bench.workshop.trace(self.file, trial.tile)
        return replace(trial, outcome=replace(trial.outcome, trace=trace))

    def final(self, told: Callable[[], None]) -> Final:
        """The winner among the best, what was on record and the hand tile, measured in turns.

        WorkFailedError if no candidate is valid.
        """
        self.require_valid()
        finalists = self.search.finalists(self._holders)
        if len(finalists) > 1:
            finalists = self.again(finalists, told)
        return self.decided(finalists)

    def decided(self, trials: Sequence[Trial]) -> Final:
        """The winner by the times of these trials, or what was not measured but is on record."""
        seconds = {trial.key: trial.seconds or inf for trial in trials}
        tiles = {trial.key: trial.tile for trial in trials}
        tile, best = winner(seconds, self._holders, tiles)
        if self.unmeasured is not None:
            tile, best = self.unmeasured.tile, self.unmeasured.seconds
        hand = seconds.get(canonical(self.search.hand_tile))
        return Final(self.key, len(self.search.trials), tile, best, hand)

    @property
    def unmeasured(self) -> Record | None:
        """What is on record, if there was no time to measure it."""
        known = self.record
        return None if known is None or canonical(known.tile) in self.search.trials else known

    def stands(self, final: Final) -> bool:
        """Whether an earlier decision is one on the same trials and the same record."""
        known = self.unmeasured is None or self.unmeasured.tile == final.tile
        return known and final.trials == len(self.search.trials)

    @property
    def _holders(self) -> list[str]:
        """The tiles by their keys that others have to beat."""
        tiles = [] if self.record is None else [self.record.tile]
        return [canonical(tile) for tile in (*tiles, self.search.hand_tile)]

    def require_valid(self) -> None:
        """WorkFailedError with the first cause if every candidate failed."""
        if self.search.valid:
            return
        failed = self.search.failed
        cause = failed[0].failure if failed else "none was measured"
        raise WorkFailedError(
            f"{self.task.name}: none of {len(failed)} candidates is valid, the first because:"
            f" {cause}; to measure them again: shufflenet-tvm logs prune --failures"
            f" {self.family}"
        )

    def again(self, finalists: Sequence[Trial], told: Callable[[], None]) -> list[Trial]:
        """The finalists with the median of times taken in turns; who fails is out.

        WorkFailedError if all fail.
        """
        libraries, job = {trial.key: self._library(trial) for trial in finalists}, self.job
        taken: dict[str, list[float]] = {trial.key: [] for trial in finalists}
        with self.bench.alone(self.threads):
            for turn in range(ROUNDS):
                for trial in finalists:
                    # The first time it is checked with all seeds.
                    care = Care(FINAL_REPEATS, REPEAT_MS, None, None if turn == 0 else 0.0)
                    outcome = self._measured(trial.tile, libraries[trial.key], job, care)
                    taken[trial.key] += [outcome.seconds] if outcome.seconds is not None else []
                    told()
        again = [
            Trial(trial.candidate, Outcome(median(taken[trial.key])))
            for trial in finalists
            if len(taken[trial.key]) == ROUNDS
        ]
        if not again:
            raise WorkFailedError(f"{self.task.name}: every finalist failed when measured again")
        return again

    def _library(self, trial: Trial) -> Library:
        if trial.key not in self.libraries:
            try:
                self.libraries[trial.key] = self.build(trial.candidate).result()
            except BuildError as error:
                raise WorkFailedError(f"{self.task.name}: {error}") from error
        return self.libraries[trial.key]

    def _measured(self, tile: TileFields, library: Library, job: Job, care: Care) -> Outcome:
        extra: dict[str, Any] = {"task": self.task.workload, "tile": tile}

        def work(device: Device) -> float:
            return device.seconds(job, library.path, care, extra)

        try:
            seconds, device = self.bench.pool.run(work)
        except CandidateError as error:
            return Outcome(None, str(error), library.program)
        return Outcome(seconds, None, library.program, None, device)


def key_of(task: Task, subject: Subject) -> str:
    """The name of a task in the journal."""
    return task_key(canonical(task.workload), *subject.choices)
