"""Which candidates of a task are measured, in which order, and which one wins.

The hand tile comes first, then the one of an earlier record, then some at random; from then on
batches of those that the cost model finds fastest, with one in four at random. No candidate is
measured twice before the final.
"""

import random
from collections.abc import Sequence

from pipeline.records import canonical
from pipeline.tune.journal import Trial
from pipeline.tune.ranking import Ranking
from pipeline.tune.space import Space, StageSpace, TileFields

BATCH = 8
# Of a batch, for what the model does not know.
RANDOM = 2
FINALISTS = 3
# A lead below this is within the noise of measuring.
LEAD = 1.01


class Search:
    """The candidates of a task that were measured, and those to measure next.

    Without a ranking the order is that of the space.
    """

    def __init__(
        self, space: Space, first: Sequence[TileFields], ranking: Ranking | None, seed: int
    ) -> None:
        self.space, self.ranking = space, ranking
        self.trials: dict[str, Trial] = {}
        self._learnt = 0
        tiles = list(space.tiles)
        if ranking is not None:
            random.Random(seed).shuffle(tiles)
        self._order = {canonical(tile): tile for tile in [space.hand, *first, *tiles]}
        self._first = 1 + len(first)

    @property
    def valid(self) -> list[Trial]:
        """The measured candidates that gave the right output, fastest first."""
        timed = [trial for trial in self.trials.values() if trial.seconds is not None]
        return sorted(timed, key=lambda trial: trial.seconds or 0.0)

    @property
    def failed(self) -> list[Trial]:
        """The measured candidates that did not, in the order measured."""
        return [trial for trial in self.trials.values() if trial.seconds is None]

    @property
    def hand(self) -> Trial | None:
        """The hand tile, if it was measured and is right."""
        trial = self.trials.get(canonical(self.space.hand))
        return None if trial is None or trial.seconds is None else trial

    def add(self, trial: Trial) -> None:
        """Take the result of a candidate; one that is in the space no longer does not count."""
        if canonical(trial.tile) in self._order:
            self.trials[canonical(trial.tile)] = trial

    def batch(self, limit: int) -> list[TileFields]:
        """The next candidates, at most `limit`, none that was measured; empty at the end."""
        left = [tile for key, tile in self._order.items() if key not in self.trials]
        count = min(limit, BATCH)
        if self.ranking is None or len(self.trials) < self._first + BATCH:
            return left[:count]
        best = self._ranked(left)[: max(count - RANDOM, 1)]
        return [*best, *(tile for tile in left if tile not in best)][:count]

    def finalists(self) -> list[Trial]:
        """The fastest candidates and the hand tile."""
        finalists = self.valid[:FINALISTS]
        if self.hand is not None and self.hand not in finalists:
            finalists.append(self.hand)
        return finalists

    def _ranked(self, left: list[TileFields]) -> list[TileFields]:
        """The candidates in the order of the cost model, which learns what is new."""
        assert isinstance(self.space, StageSpace)
        assert self.ranking is not None
        new = list(self.trials.values())[self._learnt :]
        self._learnt += len(new)
        known = [(trial, self.space.sampled(trial.tile)) for trial in new]
        pairs = [(sch, trial.seconds) for trial, sch in known if sch is not None]
        self.ranking.learn([sch for sch, _ in pairs], [seconds for _, seconds in pairs])
        schedules = [self.space.sampled(tile) for tile in left]
        applicable = [(sch, tile) for sch, tile in zip(schedules, left, strict=True) if sch]
        scores = self.ranking.scores([sch for sch, _ in applicable])
        ranked = sorted(zip(scores, applicable, strict=True), key=lambda pair: -pair[0])
        return [tile for _, (_, tile) in ranked]


def winner(
    seconds: dict[str, float], hand: str, tiles: dict[str, TileFields]
) -> tuple[TileFields, float]:
    """The fastest tile by its key, or the hand tile unless that is beaten clearly."""
    best = min(seconds, key=lambda key: seconds[key])
    if hand in seconds and seconds[hand] < seconds[best] * LEAD:
        best = hand
    return tiles[best], seconds[best]
