"""What the journal tells of a candidate: how it was proposed, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.records import canonical
from pipeline.tile_fields import TileFields

# Who proposed a candidate: the hand tile, a record or an import of the same workload, a record of
# a similar one, what is known of the target, the cost model, chance, the stages' own winners, or
# one change of the best.
Origin = Literal["hand", "record", "similar", "likely", "model", "random", "stages", "neighbour"]


@dataclass(frozen=True)
class Candidate:
    """A tile that is to be measured, in the order of its `number`.

    All candidates of a `round` were proposed at once, from what was known of the rounds before the
    one before it.
    """

    number: int
    round: int
    task: str
    tile: TileFields
    origin: Origin

    @property
    def key(self) -> str:
        """The name of its tile within the task."""
        return canonical(self.tile)


@dataclass(frozen=True)
class Outcome:
    """What became of a candidate: its time, or the cause of its failure.

    `program` is the structural hash of what was compiled, `trace` how a candidate that computes
    something else was scheduled. The last three are seconds of the builder, of the device, and
    in which the device waited for the builder.
    """

    seconds: float | None
    failure: str | None = None
    program: str | None = None
    trace: str | None = None
    device: str = ""
    build_seconds: float = 0.0
    measure_seconds: float = 0.0
    wait_seconds: float = 0.0


@dataclass(frozen=True)
class Trial:
    """A candidate that was measured."""

    candidate: Candidate
    outcome: Outcome

    @property
    def tile(self) -> TileFields:
        """The fields of its tile."""
        return self.candidate.tile

    @property
    def key(self) -> str:
        """The name of its tile within the task."""
        return self.candidate.key

    @property
    def seconds(self) -> float | None:
        """Its time; None if it failed."""
        return self.outcome.seconds

    @property
    def failure(self) -> str | None:
        """Why there is no time."""
        return self.outcome.failure


@dataclass(frozen=True)
class Final:
    """What a finished task came to after so many trials; no `hand_seconds` if that tile failed."""

    task: str
    trials: int
    tile: TileFields
    seconds: float
    hand_seconds: float | None


def fastest_first(trials: Sequence[Trial]) -> list[Trial]:
    """Those with a time, in its order."""
    timed = [trial for trial in trials if trial.seconds is not None]
    return sorted(timed, key=lambda trial: (trial.seconds, trial.candidate.number))
