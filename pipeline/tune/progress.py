"""What is told while tuning."""

from dataclasses import dataclass

from pipeline.tune.entries import Trial

# The kind of progress while tiles compete in networks, of which `trials` of `total` are done.
NETWORKS = "networks"


@dataclass
class Tally:
    """Candidates and seconds of one run.

    The builders', the devices' and the search's seconds overlap; `waiting` are those in which a
    device had nothing to measure because nothing was built yet.
    """

    measured: int = 0
    failed: int = 0
    stale: int = 0
    rejected: int = 0
    building: float = 0.0
    measuring: float = 0.0
    waiting: float = 0.0
    searching: float = 0.0

    def count(self, trial: Trial) -> None:
        """A candidate was measured."""
        self.measured += 1
        self.failed += trial.seconds is None
        self.building += trial.outcome.build_seconds
        self.measuring += trial.outcome.measure_seconds
        self.waiting += trial.outcome.wait_seconds


@dataclass(frozen=True)
class Progress:
    """Where tuning stands; told after each candidate and each finished task.

    The first half is of the task at hand, whose `best_seconds` are the geometric mean of one thread
    and all cores for kernels. `trials` of `total` candidates of all stages or all kernels are
    measured, counting earlier runs; `finished` of `tasks` are. `news` are lines to keep.
    """

    kind: str
    task: str
    task_finished: bool
    task_trials: int
    task_failed: int
    best_seconds: float | None
    best_gmacs: float | None
    hand_seconds: float | None
    trials: int
    total: int
    finished: int
    tasks: int
    seconds_left: float | None
    news: list[str]
