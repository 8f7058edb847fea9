"""All stages, or all kernels: rounds of candidates for the tasks that have the network's time.

    round n is proposed     from the results of rounds up to n - 2, all of them there
    round n is built        while round n - 1 is measured
    round n is measured     in the order proposed; each result is on the disk at once

A round goes to the task with the largest `calls x best time / candidates so far`: so trials are
dealt out as the network's time is, and a task that improves no more gets none. When no task has a
proposal left, the last rounds are looked at too.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from math import inf

from pipeline.tune.entries import Candidate, Trial, fastest_first
from pipeline.tune.ranking import Ranking
from pipeline.tune.run_task import TaskRun
from pipeline.tune.search import BATCH, Proposal

# Rounds that are built or measured at a time.
AHEAD = 2

Submit = Callable[[TaskRun, list[Proposal], int], list[Candidate]]


@dataclass
class Phase:
    """Tasks that are tuned together.

    `limit` is the number of candidates for all of them. `propose` writes a round down, `record` a
    result. `over` tells whether time is up.
    """

    runs: Sequence[TaskRun]
    limit: float
    next_round: int
    executor: ThreadPoolExecutor
    propose: Submit
    record: Callable[[TaskRun, Trial], None]
    over: Callable[[], bool]
    seed: int
    searching: float = 0.0
    _going: dict[Future[Trial], TaskRun] = field(default_factory=dict)
    _open: Counter[int] = field(default_factory=Counter)

    def run(self, pending: Sequence[Candidate]) -> None:
        """Measure what is pending from an earlier run, and then rounds until the limit or the end.

        Time may be over before that, but not before every task's hand tile was measured.
        """
        by_key = {run.key: run for run in self.runs}
        for candidate in pending:
            self._submit(by_key[candidate.task], candidate)
        try:
            while not self._late():
                while len(self._open) < AHEAD and self._begin():
                    pass
                if not self._going:
                    return
                self._collect()
        finally:
            for future in self._going:
                future.cancel()

    def _collect(self) -> None:
        """Take the results that are there, and wait for one if there is none."""
        done, _ = wait(self._going, return_when=FIRST_COMPLETED)
        trials = [(self._going.pop(future), future.result()) for future in done]
        for run, trial in sorted(trials, key=lambda pair: pair[1].candidate.number):
            run.add(trial)
            self.record(run, trial)
            self._open[trial.candidate.round] -= 1
        self._open = +self._open

    def _late(self) -> bool:
        return self.over() and all(run.search.trials for run in self.runs)

    def _begin(self) -> bool:
        """Propose a round; False if there is nothing more to measure."""
        begun, seen = time.monotonic(), self.next_round - 1
        run = self._next(seen)
        if run is None and not self._open:
            seen = self.next_round
            run = self._next(seen)
        if run is None:
            return False
        left = self.limit - sum(len(one.search.proposed) for one in self.runs)
        ranking = self._ranking(run, seen) if run.search.learns else None
        proposals = run.search.batch(int(min(left, BATCH)), run.search.before(seen), ranking)
        self.searching += time.monotonic() - begun
        for candidate in self.propose(run, proposals, self.next_round):
            self._submit(run, candidate)
        self.next_round += 1
        return True

    def _submit(self, run: TaskRun, candidate: Candidate) -> None:
        run.search.expect(candidate)
        self._open[candidate.round] += 1
        building = run.build(candidate)
        self._going[self.executor.submit(run.attempt, candidate, building)] = run

    def _next(self, seen: int) -> TaskRun | None:
        """The task that the next round is for, by what rounds before `seen` have told."""
        proposed = {run.key: len(run.search.proposed) for run in self.runs}
        if sum(proposed.values()) >= self.limit:
            return None
        fresh = [run for run in self.runs if not proposed[run.key]]
        if fresh:
            return fresh[0]
        if self.over():
            return None
        known = {run.key: run.search.before(seen) for run in self.runs}
        left = [run for run in self.runs if not run.search.is_over(known[run.key])]

        def urgency(run: TaskRun) -> float:
            best = fastest_first(known[run.key])
            seconds = best[0].seconds or 0.0 if best else inf
            return run.task.calls * seconds / proposed[run.key]

        return max(left, key=urgency, default=None)

    def _ranking(self, run: TaskRun, seen: int) -> Ranking | None:
        """What is known of the operator so far; None if that is too little."""
        operator = run.task.workload["operator"]
        alike = [one for one in self.runs if one.task.workload["operator"] == operator]
        known = [(one.task.workload, one.search.before(seen)) for one in alike]
        if sum(len(trials) for _, trials in known) < BATCH:
            return None
        return Ranking(known, run.task.workload, self.seed)
