"""The order in which the tiles of one operator are measured.

After the hand tile, and the one that is expected to be faster if other workloads taught that, come
those of earlier records and of similar tasks, those that are likely to be fast by what is known of
the target, then what the cost model finds fastest, with one in four at random. No candidate is
proposed twice.
"""

import random
from collections.abc import Sequence

from pipeline.records import canonical
from pipeline.tune.entries import Candidate, Trial, fastest_first
from pipeline.tune.ranking import Ranking
from pipeline.tune.search import BATCH, LEAD, Outlook, Proposal, Search
from pipeline.tune.space import ListedSpace

# Of a batch, for what the model does not know.
RANDOM = 2
# So many candidates that brought no clear lead, and a task is done with.
PATIENCE = 24


class StageSearch(Search):
    """All tiles of an operator; `seeds` are those to begin with, as far as they fit."""

    def __init__(
        self, space: ListedSpace, seeds: Sequence[Proposal], seed: int, outlook: Outlook
    ) -> None:
        super().__init__(space)
        self.space, self.describe, self.outlook = space, space.describe, outlook
        seeds = [*([outlook.first] if outlook.first else []), *seeds]
        first = [(tile, origin) for tile, origin in seeds if space.fits(tile)]
        self.rejected = len(seeds) - len(first)
        first += [(tile, "likely") for tile in space.likely]
        rest: list[Proposal] = [(tile, "random") for tile in space.tiles]
        random.Random(seed).shuffle(rest)
        self._order: dict[str, Proposal] = {}
        for tile, origin in [(space.hand, "hand"), *first]:
            self._order.setdefault(canonical(tile), (tile, origin))
        self._first = len(self._order)
        for tile, origin in rest:
            self._order.setdefault(canonical(tile), (tile, origin))

    @property
    def size(self) -> int:
        """How many candidates there are in all."""
        return len(self._order)

    def knows(self, candidate: Candidate) -> bool:
        """Whether a candidate can be made, as the target is."""
        return candidate.key in self._order or self.space.fits(candidate.tile)

    def is_over(self, known: Sequence[Trial]) -> bool:
        """Whether all were proposed, or the last ones of these brought no clear lead."""
        return self._order.keys() <= self.proposed or improves_no_more(known)

    def batch(self, limit: int, known: Sequence[Trial], ranking: Ranking | None) -> list[Proposal]:
        """The next proposals; without a ranking, what is not yet known is taken by chance."""
        left = {key: one for key, one in self._order.items() if key not in self.proposed}
        listed = list(left.values())
        count = min(limit, BATCH)
        if ranking is None:
            return listed[:count]
        firsts = listed[: max(self._first - len(self.proposed), 0)]
        best = ranking.best([tile for tile, _ in listed], max(count - len(firsts) - RANDOM, 1))
        models: list[Proposal] = [(tile, "model") for tile in best]
        chosen: dict[str, Proposal] = {}
        for tile, origin in [*firsts, *models, *listed]:
            chosen.setdefault(canonical(tile), (tile, origin))
        return list(chosen.values())[:count]


def improves_no_more(trials: Sequence[Trial]) -> bool:
    """Whether the last `PATIENCE` of these trials brought no clear lead."""
    earlier, late = fastest_first(trials[:-PATIENCE]), fastest_first(trials[-PATIENCE:])
    if not earlier or len(trials) <= PATIENCE:
        return False
    return not late or (late[0].seconds or 0) * LEAD > (earlier[0].seconds or 0)
