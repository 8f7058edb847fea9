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
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from schedules.program import Tensors, local, zero

if TYPE_CHECKING:
    from schedules.cpu.first_convolution_paired import PairedFirstConvolution

# Rows or columns that are made together, and those of the image under their windows.
PAIR, UNDER = 2, 5
# Of the places under both: the one that they have in common, and those of the first and the second.
COMMON, OWN = 2, ((0, (0, 1)), (1, (3, 4)))
# By which of the paired taps each place is multiplied, and how many these are.
TAPS, PAIRED = (0, 1, 2, 1, 3), 4

# A place under the tile by row and column, and the buffer, row and column of each pair that it
# counts for.
Term = tuple[int, int, Any, tuple[int, int]]


class Differences(NamedTuple):
    """The rows of the image under two rows of windows, the first and the last less the common one.

    `rows` [planes, 2, width] are these two. `columns` [planes, UNDER, `first` + width] have each
    column less the one two to its right, of all rows, that of column -1 at `first` - 1.
    """

    rows: Any
    columns: Any
    first: int


def paired(weight: np.ndarray) -> np.ndarray:
    """[channels, planes, 3, 3] as the paired taps of rows and of columns, [.., .., 4, 4].

    Columns are taken from the common one on the right, so that the last tap is negative.
    """
    first, middle, last = (weight[:, :, tap] for tap in range(3))
    rows = np.stack([first, middle, first + last, last], 2)
    first, middle, last = (rows[..., tap] for tap in range(3))
    return np.stack([first, middle, first + last, -last], 3)


def emit_differences(name: str, work: "PairedFirstConvolution", data: Any, row: Any) -> Differences:
    """Write the differences of what is under two output rows, the first counted as it is made.

    Above the image are zeros.
    """
    planes, lanes, width = work.source.planes, work.lanes, work.source.width
    # Room to the left for column -1, and so much that column 0 begins with a vector.
    made = Differences(
        local(f"{name}_rows", (planes, PAIR, width), work.dtype),
        local(f"{name}_columns", (planes, UNDER, lanes + width), work.dtype),
        lanes,
    )
    with T.serial(planes) as plane:
        _emit_plane(work, data, made, (row, plane))
    return made


def first_row_under(work: "PairedFirstConvolution", row: Any) -> Any:
    """The first row of the image, or -1, under an output row, counted as it is made.

    A strip that makes rows outside the image makes them like the nearest, as nobody reads them.
    """
    _, y = work.target.image_and_row(row)
    return T.min(T.max(y, 0), work.target.height - PAIR) * PAIR - 1


def _emit_plane(
    work: "PairedFirstConvolution", data: Any, made: Differences, at: tuple[Any, Any]
) -> None:
    (row, plane), (lanes, width) = at, (work.lanes, work.source.width)
    image, _ = work.target.image_and_row(row)
    first = first_row_under(work, row)

    def pixels(place: int, column: Any, count: int = lanes) -> Any:
        found = data[
            image, plane, first + place, column if count == 1 else T.ramp(column, 1, count)
        ]
        nothing = zero(work.dtype) if count == 1 else T.broadcast(zero(work.dtype), count)
        return found if place else T.if_then_else(first >= 0, found, nothing)

    def of_rows(column: Any) -> None:
        common = pixels(COMMON, column)
        for at, place in enumerate((0, UNDER - 1)):
            to = [plane, at, T.ramp(column, 1, lanes)]
            T.buffer_store(made.rows, pixels(place, column) - common, to)

    def of_columns(column: Any, count: int = lanes) -> None:
        """From the pixels themselves: what has just been stored takes long to load askew."""

        def less(place: int) -> Any:
            right = pixels(place, column + 2, count)
            return (pixels(place, column, count) if count > 1 else zero(work.dtype)) - right

        for place in range(UNDER):
            value = less(place) - less(COMMON) if place in (0, UNDER - 1) else less(place)
            start = column + made.first
            to = [plane, place, start if count == 1 else T.ramp(start, 1, count)]
            T.buffer_store(made.columns, value, to)

    of_columns(-1, 1)
    with T.serial((width - 2) // lanes) as vector:
        of_rows(vector * lanes)
        of_columns(vector * lanes)
    # The last vectors overlap those before.
    of_columns(width - 2 - lanes)
    of_rows(width - lanes)


@dataclass(frozen=True)
class Sums:
    """A tile of two rows of pixels, by its first, and the registers [2, columns, vectors] that it
    is made in; `less` are the differences of what is under the rows."""

    work: "PairedFirstConvolution"
    tensors: Tensors
    less: Differences
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
            plane = T.axis.opaque(work.source.planes, loop)
            replace(self, row=row, column=column)._add(plane, terms)

    def _add(self, plane: Any, terms: Sequence[Term]) -> None:
        """Write the multiply-adds of places under the tile, those of the same taps together."""
        weight = self.tensors["weight"]
        for taps in product(range(PAIRED), range(PAIRED)):
            for y, x, into, (row, column) in terms:
                if (TAPS[y], TAPS[x]) != taps:
                    continue
                for first, v in self._every:
                    factor = weight[(plane, *taps, v, T.ramp(0, 1, self.work.lanes))]
                    value = T.broadcast(self._pixel(plane, y, x, first), self.work.lanes)
                    so_far = into[row, first + column, v]
                    T.buffer_store(into, so_far + value * factor, [row, first + column, v])

    def _pixel(self, plane: Any, y: int, x: int, first: int) -> Any:
        """A pixel or a difference under the pair of columns that begins with `first`."""
        column = (self.column + first) * PAIR - 1
        if x in (0, UNDER - 1):
            # Columns are taken from the ones to their right, the common one from the last.
            left = column + (0 if x == 0 else COMMON)
            return self.less.columns[plane, y, left + self.less.first]
        if y in (0, UNDER - 1):
            return self.less.rows[plane, y // (UNDER - 1), column + x]
        image, _ = self.work.target.image_and_row(self.row)
        under = first_row_under(self.work, self.row) + y
        return self.tensors["data"][image, plane, under, column + x]

    def _channels(self, vector: int) -> Any:
        return T.ramp(self.work.vectors.start(vector), 1, self.work.lanes)
