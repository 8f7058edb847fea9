"""Which candidates are worth measuring: boosted trees over all that was measured of an operator.

A candidate is described by numbers that any operator has (`features.py`). So one model learns from
all tasks of an operator, and a new task begins with what the others taught.
"""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from pipeline.tile_fields import TileFields
from pipeline.tune.entries import Trial, fastest_first
from pipeline.tune.features import Describe, Numbers

ROUNDS = 80
# One thread, as the others build and measure, and so that equal data give an equal model.
SETTINGS = {"max_depth": 5, "eta": 0.2, "min_child_weight": 1, "nthread": 1, "verbosity": 0}


class Ranking:
    """A model of one operator, from tasks' workloads and trials; best tiles of one workload."""

    def __init__(
        self,
        known: Sequence[tuple[Mapping[str, Any], Sequence[Trial]]],
        workload: Mapping[str, Any],
        seed: int,
        describe: Describe,
    ) -> None:
        self.workload, self.describe = workload, describe
        rows: list[Numbers] = []
        labels: list[float] = []
        for other, trials in known:
            best = fastest_first(trials)
            for trial in trials if best else ():
                rows.append(describe(other, trial.tile))
                labels.append((best[0].seconds or 0) / trial.seconds if trial.seconds else 0.0)
        self._names = sorted({name for row in rows for name in row})
        data = xgboost.DMatrix(self._table(rows), label=labels)
        self._model = xgboost.train(SETTINGS | {"seed": seed}, data, ROUNDS)

    def best(self, tiles: Sequence[TileFields], count: int) -> list[TileFields]:
        """So many of the tiles, the fastest first."""
        scores = self.scores(tiles)
        order = sorted(range(len(tiles)), key=lambda index: (-scores[index], index))
        return [tiles[index] for index in order[:count]]

    def scores(self, tiles: Sequence[TileFields]) -> list[float]:
        """The speed of tiles that is expected, relative to the best one's."""
        table = self._table([self.describe(self.workload, tile) for tile in tiles])
        return [float(score) for score in self._model.predict(xgboost.DMatrix(table))]

    def _table(self, rows: Sequence[Numbers]) -> NDArray[np.float32]:
        cells = [[row.get(name, nan) for name in self._names] for row in rows]
        return np.array(cells, dtype=np.float32).reshape(len(rows), len(self._names))
