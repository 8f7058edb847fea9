"""The order in which the tiles of a kernel are measured: one change of the best after the other.

The hand tile comes first, then the winners of all stages, then every tile that differs from the
fastest so far in one choice, until none of those is left.
"""

from collections.abc import Sequence

from pipeline.records import canonical
from pipeline.tune.entries import Candidate, Trial, fastest_first
from pipeline.tune.kernel_space import KernelSpace
from pipeline.tune.ranking import Ranking
from pipeline.tune.search import BATCH, Proposal, Search


class KernelSearch(Search):
    """Steps from tile to tile; `seeds` are those to begin with, as far as they fit."""

    def __init__(self, space: KernelSpace, seeds: Sequence[Proposal]) -> None:
        super().__init__(space)
        self.space = space
        first = [(tile, origin) for tile, origin in seeds if space.fits(tile)]
        self.rejected = len(seeds) - len(first)
        self.recorded = [tile for tile, origin in first if origin == "record"]
        self._first: list[Proposal] = [(space.hand, "hand"), (space.start, "stages"), *first]

    @property
    def size(self) -> int:
        """The candidates that are measured if none beats the first."""
        return len(self._first) + len(self.space.neighbours(self.space.start))

    def knows(self, candidate: Candidate) -> bool:
        """Whether the schedules make a candidate on this machine."""
        return self.space.fits(candidate.tile)

    def is_over(self, known: Sequence[Trial]) -> bool:
        """Whether everything next to the best of these trials was proposed."""
        return not self._left(known)

    def batch(self, limit: int, known: Sequence[Trial], ranking: Ranking | None) -> list[Proposal]:
        """The next proposals."""
        assert ranking is None
        return self._left(known)[: min(limit, BATCH)]

    def _left(self, known: Sequence[Trial]) -> list[Proposal]:
        best = fastest_first(known)
        around = best[0].tile if best else self.space.start
        steps: list[Proposal] = [(tile, "neighbour") for tile in self.space.neighbours(around)]
        wanted: dict[str, Proposal] = {}
        for tile, origin in [*self._first, *steps]:
            wanted.setdefault(canonical(tile), (tile, origin))
        return [one for key, one in wanted.items() if key not in self.proposed]
