"""One engine's part in a measurement: warm up, then a round whenever it is its turn.

A plan says how much is enough: some seconds and samples, or, for a quick look, a median that is
known well enough; for the record, at least 1024 samples and 10 seconds of every engine, in several
processes, since now and then one is slower than its likes for as long as it lives.
"""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.engines.pipe import EngineError
from pipeline.engines.process import EngineProcess, Round
from pipeline.engines.worker import Array
from pipeline.load import Load, between, mean, moment
from pipeline.significance import estimate

# A pool of n threads may count a little more than n cores, for the interpreter beside it.
CORES_SLACK = 1.2
STEADY = 0.03  # spread of the last medians of a warm engine
STEADY_ROUNDS = 3
# Fewer rounds say nothing about how their medians drift.
FEWEST_ROUNDS = 5
# The fewest inferences of a valid run of MLPerf's single-stream scenario.
LOADGEN_QUERIES = 1024
# Inferences in a round: enough for a median, and few enough that the next engine's turn is near.
ROUND_COUNTS = (5, 50)


@dataclass(frozen=True)
class Plan:
    """How long to measure; `seconds` is for all engines together, one number of threads."""

    seconds: float = 8.0
    limit_seconds: float = 60.0
    warm_up_seconds: float = 2.0
    round_seconds: float = 0.2
    fewest_samples: int = 100
    # Or, of a network that takes long, so many in so many seconds.
    slow_samples: int = 30
    slow_seconds: float = 5.0
    # Of each engine, while it is timed.
    fewest_seconds: float = 0.0
    # Half the confidence interval of the median, as a share of it, at which to stop.
    precision: float | None = None
    # Of each engine, one after the other.
    processes: int = 1
    # Of each engine by MLPerf's load generator, after the rounds.
    loadgen_seconds: float | None = None
    # Untimed inferences at the start of a round: the other engines have emptied the caches.
    settle: int = 2

    def is_enough(self, samples: int, seconds: float) -> bool:
        """Whether so many samples, which took so long, tell what one takes."""
        slow = samples >= self.slow_samples and seconds >= self.slow_seconds
        return samples >= self.fewest_samples or slow

    @property
    def of_a_process(self) -> "Plan":
        """The share of each of the processes."""
        count = self.processes
        return replace(
            self,
            seconds=self.seconds / count,
            limit_seconds=self.limit_seconds / count,
            fewest_samples=math.ceil(self.fewest_samples / count),
            slow_samples=math.ceil(self.slow_samples / count),
            slow_seconds=self.slow_seconds / count,
            fewest_seconds=self.fewest_seconds / count,
            processes=1,
        )


# As many samples and seconds as MLPerf asks of its shortest valid run, or more.
RECORD = Plan(
    seconds=10,
    limit_seconds=1800,
    fewest_samples=1024,
    slow_seconds=math.inf,
    fewest_seconds=10,
    processes=5,
)
QUICK = Plan(seconds=1, limit_seconds=30, warm_up_seconds=1, fewest_samples=50, precision=0.01)


@dataclass(frozen=True)
class Measurement:
    """All samples of one engine in seconds by round, and the outputs of each of its processes for
    the images."""

    engine: str
    threads: int
    rounds: tuple[tuple[float, ...], ...]
    cores_used: float
    settings: dict[str, str]
    outputs: tuple[Array, ...]
    load: Load | None = None
    loadgen: dict[str, Any] | None = None

    @property
    def samples(self) -> list[float]:
        """All samples in the order taken."""
        return [sample for samples in self.rounds for sample in samples]


def joined(parts: Sequence[Measurement]) -> Measurement:
    """What several processes of an engine gave, one after the other."""
    loads = [part.load for part in parts if part.load]
    return replace(
        parts[0],
        rounds=tuple(samples for part in parts for samples in part.rounds),
        outputs=tuple(output for part in parts for output in part.outputs),
        cores_used=statistics.fmean(part.cores_used for part in parts),
        load=mean(loads) if loads else None,
        loadgen=parts[-1].loadgen,
    )


@dataclass
class Runner:
    """An engine's process and what has been taken from it; stopped between calls."""

    process: EngineProcess
    failure: str | None = None
    count: int = 1
    settings: dict[str, str] = field(default_factory=dict)
    outputs: tuple[Array, ...] = ()
    rounds: list[Round] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    loadgen: dict[str, Any] | None = None

    @property
    def works(self) -> bool:
        """Whether nothing went wrong so far."""
        return self.failure is None

    def prepare(self, source: dict[str, Any], images: Sequence[Array], plan: Plan) -> None:
        """Load, compute the outputs, warm up, stop."""
        self.settings = self.process.load(source, images[0])
        self.outputs = tuple(self.process.output(image) for image in images)
        self._warm_up(plan)
        self.process.stop()

    def take_round(self, plan: Plan) -> None:
        """Wake, time one round, stop."""
        before = moment(self.process.pid)
        self.process.resume()
        try:
            self.rounds.append(self.process.run(self.count, plan.settle))
            self.loads.append(between(before, moment(self.process.pid)))
        finally:
            self.process.stop()

    def take_loadgen(self, seconds: float) -> None:
        """Wake, let MLPerf's load generator time it, stop."""
        self.process.resume()
        try:
            self.loadgen = self.process.loadgen(seconds, LOADGEN_QUERIES)
        finally:
            self.process.stop()

    def has_enough(self, plan: Plan) -> bool:
        """Whether there is as much as the plan asks for, and as exact."""
        samples = sum(len(done.samples) for done in self.rounds)
        seconds = sum(done.wall for done in self.rounds)
        enough = plan.is_enough(samples, seconds) and seconds >= plan.fewest_seconds
        if not enough or len(self.rounds) < FEWEST_ROUNDS or plan.precision is None:
            return enough and len(self.rounds) >= FEWEST_ROUNDS
        return estimate([done.samples for done in self.rounds]).half_width() <= plan.precision

    def require_threads(self) -> None:
        """EngineError if it used more cores than it was given threads."""
        limit = self.process.threads * CORES_SLACK
        if self._cores_used() > limit:
            raise EngineError(
                f"{self.process.label} uses {self._cores_used():.1f} cores; "
                "it does not honour the number of threads"
            )

    def measurement(self) -> Measurement:
        """What was taken so far."""
        return Measurement(
            engine=self.process.kind.name,
            threads=self.process.threads,
            rounds=tuple(done.samples for done in self.rounds),
            cores_used=self._cores_used(),
            settings=self.settings,
            outputs=self.outputs,
            load=mean(self.loads) if self.loads else None,
            loadgen=self.loadgen,
        )

    def _cores_used(self) -> float:
        return sum(done.cpu for done in self.rounds) / sum(done.wall for done in self.rounds)

    def _warm_up(self, plan: Plan) -> None:
        """Run until the medians stay the same, and settle how many inferences a round takes."""
        medians: list[float] = []
        end = time.monotonic() + plan.warm_up_seconds
        while not medians or (time.monotonic() < end and not _steady(medians)):
            medians.append(statistics.median(self.process.run(self.count).samples))
            self.count = max(1, math.ceil(plan.round_seconds / 2 / medians[-1]))
        fewest, most = ROUND_COUNTS
        self.count = min(max(int(plan.round_seconds / medians[-1]), fewest), most)


def _steady(medians: Sequence[float]) -> bool:
    last = medians[-STEADY_ROUNDS:]
    return len(last) == STEADY_ROUNDS and max(last) - min(last) <= STEADY * min(last)
