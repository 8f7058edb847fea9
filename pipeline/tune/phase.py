"""All stages, or all kernels: rounds of candidates for the tasks that have the network's time.

    round n is proposed     from the results of rounds up to n - 2, all of them there
    round n is built        while round n - 1 is measured
    round n is measured     in the order proposed; each result is on the disk at once

The first rounds are for what other tasks taught of these, those that may gain most before others,
and then for the hand tiles of those of which nothing was taught. The other hand tiles come with the
first round of their task, or in the end: they have to be known then, but gain nothing.
After that a round goes to the task with the largest `calls x best time / candidates so far`: so
trials are dealt out as the network's time is, and a task that improves no more gets none. When no
task has a proposal left, the last rounds are looked at too.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import groupby
from math import inf

from pipeline.records import canonical
from pipeline.tune.bench import Bench
from pipeline.tune.entries import Candidate, Trial, fastest_first
from pipeline.tune.lessons import Lesson, nearest_lessons
from pipeline.tune.ranking import Ranking
from pipeline.tune.run_task import TaskRun
from pipeline.tune.search import BATCH, Proposal
from pipeline.tune.turn import Turn, take, turns_together

# Rounds that are built or measured at a time.
AHEAD = 2

Round = list[tuple[TaskRun, Proposal]]


@dataclass
class Phase:
    """Tasks that are tuned together.

    `limit` is the number of candidates for all of them. `propose` writes a round down, `record` a
    result. `over` tells whether time is up. `lessons` are what other tasks taught.
    """

    runs: Sequence[TaskRun]
    bench: Bench
    limit: float
    next_round: int
    executor: ThreadPoolExecutor
    propose: Callable[[Round, int], list[Candidate]]
    record: Callable[[TaskRun, Trial], None]
    over: Callable[[], bool]
    seed: int
    lessons: Sequence[Lesson] = ()
    searching: float = 0.0
    _going: dict[Future[Trial], TaskRun] = field(default_factory=dict)
    _open: Counter[int] = field(default_factory=Counter)

    def run(self, pending: Sequence[Candidate]) -> None:
        """Measure what is pending from an earlier run, and then rounds until the limit or the end.

        Time may be over before that, but not before every task's hand tile was measured.
        """
        by_key = {run.key: run for run in self.runs}
        for _, round_ in groupby(pending, key=lambda candidate: candidate.round):
            self._submit([(by_key[candidate.task], candidate) for candidate in round_])
        try:
            while not self._late():
                while len(self._open) < AHEAD and self._begin():
                    pass
                if not self._going:
                    return
                self._collect()
        finally:
            for result in self._going:
                result.cancel()

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
        hands = (canonical(run.search.hand_tile) in run.search.trials for run in self.runs)
        return self.over() and all(hands)

    def _begin(self) -> bool:
        """Propose a round; False if there is nothing more to measure.

        Kernels that run meanwhile on all cores of two would take several times as long.
        """
        with self.bench.attention:
            begun = time.monotonic()
            round_ = self._round(self.next_round - 1)
            if not round_ and not self._open:
                round_ = self._round(self.next_round)
            self.searching += time.monotonic() - begun
            if round_:
                candidates = self.propose(round_, self.next_round)
                self._submit([(run, one) for (run, _), one in zip(round_, candidates, strict=True)])
                self.next_round += 1
        return bool(round_)

    def _submit(self, candidates: Sequence[tuple[TaskRun, Candidate]]) -> None:
        turns = []
        for run, candidate in candidates:
            run.search.expect(candidate)
            self._open[candidate.round] += 1
            turns.append(Turn(run, candidate, run.build(candidate)))
            self._going[turns[-1].result] = run
        for together in turns_together(self.bench, turns):
            self.executor.submit(take, self.bench, together)

    def _round(self, seen: int) -> Round:
        """What to measure next, of one task or new ones, by what rounds before `seen` told."""
        left = self.limit - sum(len(run.search.proposed) for run in self.runs)
        hands: Round = [
            (run, (run.search.hand_tile, "hand")) for run in self.runs if not run.search.has_hand
        ]
        # Whatever else is measured, enough is left for the hand tile of each.
        spare = 0 if self.over() else left - len(hands)
        if spare <= 0:
            return hands[:BATCH]
        unknown = [(run, one) for run, one in hands if not run.search.proposed]
        if firsts := self._promises()[: int(min(spare, BATCH))] or unknown[:BATCH]:
            return firsts
        run = self._next(seen)
        if run is None:
            return hands[:BATCH]
        ranking = self._ranking(run, seen)
        count = int(min(spare + (not run.search.has_hand), BATCH))
        return [(run, one) for one in run.search.batch(count, run.search.before(seen), ranking)]

    def _promises(self) -> Round:
        """What others taught of tasks that have not begun, the largest saving first."""
        promises = [(run, run.search.promise) for run in self.runs]
        hopes = [(run, one) for run, one in promises if one is not None]
        return sorted(hopes, key=lambda hope: -hope[0].search.outlook.saving)

    def _next(self, seen: int) -> TaskRun | None:
        """The task that the next round is for."""
        proposed = {run.key: len(run.search.proposed) for run in self.runs}
        known = {run.key: run.search.before(seen) for run in self.runs}
        left = [run for run in self.runs if not run.search.is_over(known[run.key])]

        def urgency_of(run: TaskRun) -> float:
            return urgency(run.task.calls, known[run.key], proposed[run.key])

        return max(left, key=urgency_of, default=None)

    def _ranking(self, run: TaskRun, seen: int) -> Ranking | None:
        """What is known of the operator so far; None if that is too little, or not asked for."""
        describe = run.search.describe
        if describe is None:
            return None
        operator = run.task.workload["operator"]
        alike = [one for one in self.runs if one.task.workload["operator"] == operator]
        known: list[Lesson] = [(one.task.workload, one.search.before(seen)) for one in alike]
        known += nearest_lessons(run.task.workload, self.lessons)
        if sum(len(trials) for _, trials in known) < BATCH:
            return None
        return Ranking(known, run.task.workload, self.seed, describe)


def urgency(calls: int, known: Sequence[Trial], proposed: int) -> float:
    """The seconds of the network that a task has, of its best trial, by its candidates so far.

    A task whose candidates all failed comes before all others, one of which nothing is known yet
    after them: what it needs is on its way.
    """
    if not known:
        return 0.0
    best = fastest_first(known)
    return calls * (best[0].seconds or 0.0) / proposed if best else inf
