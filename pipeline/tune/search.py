"""The candidates of one task: which are measured, in which order, and which one wins.

A round is proposed while the one before it is being measured, from what is known of those before
that. So it depends on measured times and on the seed only, and not on when a builder was ready or a
run was interrupted.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.records import canonical
from pipeline.tile_fields import TileFields
from pipeline.tune.entries import Candidate, Origin, Trial, fastest_first
from pipeline.tune.features import Describe
from pipeline.tune.ranking import Ranking
from pipeline.tune.space import Space

BATCH = 8
FINALISTS = 3
# A lead below this is within the noise of measuring.
LEAD = 1.01

Proposal = tuple[TileFields, Origin]


@dataclass(frozen=True)
class Outlook:
    """The candidate that other tasks promise most of, and the network's seconds it may save."""

    first: Proposal | None = None
    saving: float = 0.0


class Search(ABC):
    """The candidates of a task that were proposed or measured, and those to propose next.

    `rejected` tiles did not fit the machine and were left out before anything was built. With
    `describe`, a cost model is told of its candidates by that. `outlook` is what other tasks
    promise. `recorded` are tiles that were on record before, whoever proposes them first.
    """

    rejected: int
    recorded: Sequence[TileFields] = ()
    outlook = Outlook()
    describe: Describe | None = None

    def __init__(self, space: Space) -> None:
        self.hand_tile = space.hand
        self.trials: dict[str, Trial] = {}
        self.proposed: set[str] = set()

    @property
    @abstractmethod
    def size(self) -> int:
        """How many candidates there are to expect."""

    @abstractmethod
    def knows(self, candidate: Candidate) -> bool:
        """Whether a candidate can be made as the schedules are, on this machine."""

    @abstractmethod
    def is_over(self, known: Sequence[Trial]) -> bool:
        """Whether nothing is worth proposing after these trials."""

    @abstractmethod
    def batch(self, limit: int, known: Sequence[Trial], ranking: Ranking | None) -> list[Proposal]:
        """The next proposals, from what is known: at most `limit`."""

    @property
    def promise(self) -> Proposal | None:
        """What other tasks promise of one that has not begun."""
        return None if self.proposed else self.outlook.first

    @property
    def has_hand(self) -> bool:
        """Whether the hand tile was proposed."""
        return canonical(self.hand_tile) in self.proposed

    @property
    def valid(self) -> list[Trial]:
        """The measured candidates that gave the right output, fastest first."""
        return fastest_first(list(self.trials.values()))

    @property
    def failed(self) -> list[Trial]:
        """The measured candidates that did not, in the order proposed."""
        failed = [trial for trial in self.trials.values() if trial.seconds is None]
        return sorted(failed, key=lambda trial: trial.candidate.number)

    @property
    def hand(self) -> Trial | None:
        """The hand tile, if it was measured and is right."""
        trial = self.trials.get(canonical(self.hand_tile))
        return None if trial is None or trial.seconds is None else trial

    def expect(self, candidate: Candidate) -> None:
        """A candidate was proposed."""
        self.proposed.add(candidate.key)

    def add(self, trial: Trial) -> None:
        """Take the result of a candidate."""
        self.proposed.add(trial.key)
        self.trials[trial.key] = trial

    def before(self, round_number: int) -> list[Trial]:
        """What was measured in earlier rounds than this one, in the order proposed."""
        earlier = [t for t in self.trials.values() if t.candidate.round < round_number]
        return sorted(earlier, key=lambda trial: trial.candidate.number)

    def finalists(self, holders: Sequence[str]) -> list[Trial]:
        """The fastest candidates, and those that others have to beat, by their keys."""
        fastest = self.valid[:FINALISTS]
        return fastest + [one for one in self.valid[FINALISTS:] if one.key in holders]


def winner(
    seconds: dict[str, float], holders: Sequence[str], tiles: dict[str, TileFields]
) -> tuple[TileFields, float]:
    """The fastest tile by its key, or the first of these that is not beaten clearly."""
    best = min(seconds, key=lambda key: seconds[key])
    near = (key for key in holders if key in seconds and seconds[key] < seconds[best] * LEAD)
    best = next(near, best)
    return tiles[best], seconds[best]
