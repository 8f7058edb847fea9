"""How long to tune, and what of that is used up."""

import time
from dataclasses import dataclass
from math import inf

DEFAULT_TRIALS = 64
# Of a budget of time, what the search for tiles may use at least; the rest is for kernels.
STAGES_SHARE = 0.5
# Candidates of a kernel, roughly.
KERNEL_TRIALS = 24


@dataclass(frozen=True)
class Budget:
    """How long to tune: `trials` candidates a task on average, or `seconds` for everything.

    Without any, every task gets `DEFAULT_TRIALS`; with `until_plateau`, as many as improve it.
    What earlier runs used counts.
    """

    trials: int | None = None
    seconds: float | None = None
    until_plateau: bool = False

    @property
    def limit(self) -> float:
        """Candidates a task on average, at most."""
        if self.trials is not None:
            return self.trials
        return inf if self.until_plateau or self.seconds is not None else DEFAULT_TRIALS


class Clock:
    """The seconds of this run and of those before it."""

    def __init__(self, budget: Budget, spent: float) -> None:
        self.budget, self._before = budget, spent
        self._begun = self._lapped = time.monotonic()

    @property
    def run(self) -> float:
        """Seconds of this run."""
        return time.monotonic() - self._begun

    @property
    def left(self) -> float:
        """Seconds that are left for everything."""
        return inf if self.budget.seconds is None else self.budget.seconds - self._before - self.run

    def lap(self) -> float:
        """Seconds since this was last asked."""
        now = time.monotonic()
        seconds, self._lapped = now - self._lapped, now
        return seconds
