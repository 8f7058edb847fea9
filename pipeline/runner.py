"""One engine's part in a measurement: warm up, then a round whenever it is its turn."""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.engines.pipe import EngineError
from pipeline.engines.process import EngineProcess, Round
from pipeline.engines.worker import Array

# A pool of n threads may count a little more than n cores, for the interpreter beside it.
CORES_SLACK = 1.2
STEADY = 0.03  # spread of the last medians of a warm engine
STEADY_ROUNDS = 3
# Fewer rounds say nothing about how their medians drift.
FEWEST_ROUNDS = 5
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
    # Untimed inferences at the start of a round: the other engines have emptied the caches.
    settle: int = 2


@dataclass(frozen=True)
class Measurement:
    """All samples of one engine in seconds by round, and its outputs for the images."""

    engine: str
    threads: int
    rounds: tuple[tuple[float, ...], ...]
    cores_used: float
    settings: dict[str, str]
    outputs: tuple[Array, ...]

    @property
    def samples(self) -> list[float]:
        """All samples in the order taken."""
        return [sample for samples in self.rounds for sample in samples]


@dataclass
class Runner:
    """An engine's process and what has been taken from it; stopped between calls."""

    process: EngineProcess
    failed: bool = False
    count: int = 1
    settings: dict[str, str] = field(default_factory=dict)
    outputs: tuple[Array, ...] = ()
    rounds: list[Round] = field(default_factory=list)

    def prepare(self, source: dict[str, Any], images: Sequence[Array], plan: Plan) -> None:
        """Load, compute the outputs, warm up, stop."""
        self.settings = self.process.load(source, images[0])
        self.outputs = tuple(self.process.output(image) for image in images)
        self._warm_up(plan)
        self.process.stop()

    def take_round(self, plan: Plan) -> None:
        """Wake, time one round, stop."""
        self.process.resume()
        try:
            self.rounds.append(self.process.run(self.count, plan.settle))
        finally:
            self.process.stop()

    def has_enough(self, plan: Plan) -> bool:
        """Whether there are as many samples and rounds as the plan asks for."""
        samples = sum(len(done.samples) for done in self.rounds)
        return samples >= plan.fewest_samples and len(self.rounds) >= FEWEST_ROUNDS

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
