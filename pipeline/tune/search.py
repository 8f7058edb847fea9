"""The candidates of one task: which are measured, in which order, and which one wins.

The hand tile comes first, then those of earlier records and of similar tasks, then what the cost
model finds fastest, with one in four at random. No candidate is proposed twice.

A round is proposed while the one before it is being measured, from what is known of those before
that. So it depends on measured times and on the seed only, and not on when a builder was ready or a
run was interrupted.
"""

import random
from collections.abc import Sequence

from pipeline.records import canonical
from pipeline.tune.entries import Candidate, Origin, TileFields, Trial, fastest_first
from pipeline.tune.ranking import Ranking
from pipeline.tune.space import Space

BATCH = 8
# Of a batch, for what the model does not know.
RANDOM = 2
FINALISTS = 3
# A lead below this is within the noise of measuring.
LEAD = 1.01
# So many candidates that brought less than that lead, and a task is done with.
PATIENCE = 24

Proposal = tuple[TileFields, Origin]


class Search:
    """The candidates of a task that were proposed or measured, and those to propose next.

    `seeds` are tiles to begin with; those that do not fit the machine are left out before anything
    is built. A space that is `listed` is measured in its order.
    """

    def __init__(self, space: Space, seeds: Sequence[Proposal], seed: int, listed: bool) -> None:
        self.space, self.listed = space, listed
        self.trials: dict[str, Trial] = {}
        self.proposed: set[str] = set()
        fitting = {canonical(tile) for tile in space.tiles}
        first = [(tile, origin) for tile, origin in seeds if canonical(tile) in fitting]
        self.rejected = len(seeds) - len(first)
        rest: list[Proposal] = [(tile, "listed" if listed else "random") for tile in space.tiles]
        if not listed:
            random.Random(seed).shuffle(rest)
        self._order: dict[str, Proposal] = {}
        for tile, origin in [(space.hand, "hand"), *first, *rest]:
            self._order.setdefault(canonical(tile), (tile, origin))
        self._first = 1 + len(first)

    @property
    def size(self) -> int:
        """How many candidates there are in all."""
        return len(self._order)

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
        trial = self.trials.get(canonical(self.space.hand))
        return None if trial is None or trial.seconds is None else trial

    def knows(self, candidate: Candidate) -> bool:
        """Whether a candidate is in the space, as it is on this machine."""
        return candidate.key in self._order

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

    def batch(self, limit: int, ranking: Ranking | None) -> list[Proposal]:
        """The next proposals, at most `limit`; empty at the end. The first is the hand tile alone.

        Without a ranking, what is not yet known is taken by chance.
        """
        left = {key: one for key, one in self._order.items() if key not in self.proposed}
        listed = list(left.values())
        count = min(limit, BATCH)
        if not self.proposed:
            return listed[:1]
        if self.listed or ranking is None:
            return listed[:count]
        firsts = listed[: max(self._first - len(self.proposed), 0)]
        best = ranking.best([tile for tile, _ in listed], max(count - len(firsts) - RANDOM, 1))
        models: list[Proposal] = [(tile, "model") for tile in best]
        chosen: dict[str, Proposal] = {}
        for tile, origin in [*firsts, *models, *listed]:
            chosen.setdefault(canonical(tile), (tile, origin))
        return list(chosen.values())[:count]

    def finalists(self) -> list[Trial]:
        """The fastest candidates and the hand tile."""
        finalists = self.valid[:FINALISTS]
        if self.hand is not None and self.hand not in finalists:
            finalists.append(self.hand)
        return finalists


def improves_no_more(trials: Sequence[Trial]) -> bool:
    """Whether the last `PATIENCE` of these trials brought no clear lead."""
    earlier, late = fastest_first(trials[:-PATIENCE]), fastest_first(trials[-PATIENCE:])
    if not earlier or len(trials) <= PATIENCE:
        return False
    return not late or (late[0].seconds or 0) * LEAD > (earlier[0].seconds or 0)


def winner(
    seconds: dict[str, float], hand: str, tiles: dict[str, TileFields]
) -> tuple[TileFields, float]:
    """The fastest tile by its key, or the hand tile unless that is beaten clearly."""
    best = min(seconds, key=lambda key: seconds[key])
    if hand in seconds and seconds[hand] < seconds[best] * LEAD:
        best = hand
    return tiles[best], seconds[best]
