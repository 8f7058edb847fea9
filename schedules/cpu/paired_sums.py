"""Two sums of a convolution of stride 2 for the multiply-adds of fewer: pairs of rows and columns.

Windows of stride 2 that lie side by side have a column of the image in common, which they multiply
by different taps. Its products are made once, by the sum of these:

    x[0] w[0] + x[1] w[1] + x[2] w[2] = (x[0] - x[2]) w[0] + x[1] w[1] + x[2] (w[0] + w[2])
    x[2] w[0] + x[3] w[1] + x[4] w[2] = (x[4] - x[2]) w[2] + x[3] w[1] + x[2] (w[0] + w[2])

This is minimal filtering of two outputs with two taps, 0 and 2 (Winograd, "Arithmetic Complexity of
Computations", 1980), beside a tap that stays as it is: five multiply-adds in place of six. Rows of
differences are rows like others, so that rows are paired in the same way, and columns within them:
25 multiply-adds in place of 36. Weights are added up when they are packed. A difference of pixels
serves all channels, and as sums of products begin those that they are part of, nothing is added
afterwards but one vector a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from schedules.cpu.paired_places import AT_ONCE, COMMON, OWN, PAIR, Places
from schedules.program import Tensors, local, zero

if TYPE_CHECKING:
    from schedules.cpu.first_convolution_paired import PairedFirstConvolution

# By which of the paired taps each place is multiplied, and how many these are.
TAPS, PAIRED = (0, 1, 2, 1, 3), 4

# A place under the tile by row and column, and the buffer, row and column of each pair that it
# counts for.
Term = tuple[int, int, Any, tuple[int, int]]


def paired(weight: np.ndarray) -> np.ndarray:
    """[channels, planes, 3, 3] as the paired taps of rows and of columns, [.., .., 4, 4]."""
    for axis in (2, 3):
        first, middle, last = np.moveaxis(weight, axis, 0)
        weight = np.stack([first, middle, first + last, last], axis)
    return weight


@dataclass(frozen=True)
class Sums:
    """A tile of two rows of pixels, by its first row and column, and the registers [2, columns,
    vectors] that it is made in; `pair` is its first pair of columns among those of `places`."""

    work: "PairedFirstConvolution"
    tensors: Tensors
    places: Places
    pair: Any
    row: Any
    column: Any
    made: Any

    @property
    def _every(self) -> list[tuple[int, int]]:
        """The first columns of all pairs, with all vectors."""
        columns, vectors = range(0, self.work.columns, PAIR), range(self.work.vectors.count)
        return list(product(columns, vectors))

    def emit(self, name: str) -> None:
        """Write all multiply-adds of the tile."""
        work, made = self.work, self.made
        shape = PAIR, work.columns, work.vectors.count
        beside = local(f"{name}_beside", shape, f"{work.dtype}x{work.lanes}")
        for x, v in self._every:
            start = self.tensors["bias"][self._channels(v)]
            T.buffer_store(made, start, [0, x, v])
        # What two rows and two columns have in common, what two columns, and what two rows.
        with T.serial(work.source.planes) as plane:
            self._add(plane, [(COMMON, COMMON, made, (0, 0))])
        for x, v in self._every:
            T.buffer_store(made, made[0, x, v], [1, x, v])
        with T.serial(work.source.planes) as plane:
            self._add(plane, [(y, COMMON, made, (at, 0)) for at, own in OWN for y in own])
        for at, (x, v) in product(range(PAIR), self._every):
            T.buffer_store(beside, T.broadcast(zero(work.dtype), work.lanes), [at, x, v])
        with T.serial(work.source.planes) as plane:
            self._add(plane, [(COMMON, x, beside, (at, 0)) for at, own in OWN for x in own])
        for at, (x, v) in product(range(PAIR), self._every):
            for side in (1, 0):
                both = made[at, x, v] + beside[side, x, v]
                T.buffer_store(made, both, [at, x + side, v])
        terms = [
            (y, x, made, (row, column))
            for (row, rows), (column, columns) in product(OWN, OWN)
            for y, x in product(rows, columns)
        ]
        with T.serial(work.source.planes) as loop, T.sblock(f"{name}_sum_update"):
            IRBuilder.name("plane", loop)
            row = T.axis.spatial(work.target.rows, self.row)
            column = T.axis.opaque(work.source.width // PAIR, self.column)
            pair = T.axis.opaque(AT_ONCE, self.pair)
            plane = T.axis.opaque(work.source.planes, loop)
            replace(self, pair=pair, row=row, column=column)._add(plane, terms)

    def _add(self, plane: Any, terms: Sequence[Term]) -> None:
        """Write the multiply-adds of places under the tile, those of the same taps together."""
        weight = self.tensors["weight"]
        for taps in product(range(PAIRED), range(PAIRED)):
            for y, x, into, (row, column) in terms:
                if (TAPS[y], TAPS[x]) != taps:
                    continue
                for first, v in self._every:
                    factor = weight[(plane, *taps, v, T.ramp(0, 1, self.work.lanes))]
                    place = self.places.places[plane, y, x, self.pair + first // PAIR]
                    value = T.broadcast(place, self.work.lanes)
                    so_far = into[row, first + column, v]
                    T.buffer_store(into, so_far + value * factor, [row, first + column, v])

    def _channels(self, vector: int) -> Any:
        return T.ramp(self.work.vectors.start(vector), 1, self.work.lanes)
