"""What is told while tuning, and how much time is left."""

import time
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Budget:
    """How long to tune: `trials` candidates a stage, or `seconds` for everything, or both.

    Without either, every stage gets `DEFAULT_TRIALS`.
    """

    trials: int | None = None
    seconds: float | None = None

    @property
    def limit(self) -> float:
        """Candidates a stage at most."""
        if self.trials is not None:
            return self.trials
        return DEFAULT_TRIALS if self.seconds is None else inf


DEFAULT_TRIALS = 64


@dataclass(frozen=True)
class Progress:
    """Where tuning stands; told after each candidate, and once for a task with none left.

    `trials` of `total` candidates of task `index` of `count` are measured, counting earlier runs.
    Strips have the geometric mean of one thread and all cores as `best_seconds`.
    """

    task: str
    index: int
    count: int
    trials: int
    total: int
    valid: int
    failed: int
    best_seconds: float | None
    best_gmacs: float | None
    hand_seconds: float | None
    seconds_left: float | None


class Clock:
    """Splits the time that is left over the tasks that are left, and guesses how long they take."""

    def __init__(self, budget: Budget, outstanding: list[int]) -> None:
        self.start = time.monotonic()
        self.end = inf if budget.seconds is None else self.start + budget.seconds
        self.outstanding = list(outstanding)
        self._measured = 0
        self._task_end = inf

    def begin(self, index: int) -> None:
        """Give a task its share of the time."""
        now = time.monotonic()
        waiting = sum(1 for trials in self.outstanding[index:] if trials) or 1
        self._task_end = now + (self.end - now) / waiting

    def tick(self, index: int) -> None:
        """Count a measured candidate of a task."""
        self._measured += 1
        self.outstanding[index] = max(self.outstanding[index] - 1, 0)

    def finish(self, index: int) -> None:
        """Nothing is left of a task."""
        self.outstanding[index] = 0

    @property
    def over(self) -> bool:
        """Whether the task has used its share up."""
        return time.monotonic() >= self._task_end

    @property
    def seconds_left(self) -> float | None:
        """An estimate from what the candidates took so far."""
        now = time.monotonic()
        if not self._measured:
            return None if self.end == inf else max(self.end - now, 0.0)
        each = (now - self.start) / self._measured
        return min(each * sum(self.outstanding), max(self.end - now, 0.0))
