"""Where the elements of a tensor come from, when it was only reshaped and transposed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

Factor = tuple[int, int]  # extent, and the distance in the source of one step


@dataclass(frozen=True)
class Strided:
    """A tensor of `shape` whose elements in order are those of a source, by loops over `factors`.

    The outermost loop is the first. A reshape changes the shape only: where two axes of the shape
    share a factor, it is split when they are told apart.
    """

    shape: tuple[int, ...]
    factors: tuple[Factor, ...]

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> "Strided":
        """The source itself."""
        return cls(shape, _merged([(prod(shape), 1)]))

    def reshaped(self, shape: tuple[int, ...]) -> "Strided":
        """The same elements in the same order."""
        return Strided(shape, self.factors)

    def permuted(self, order: Sequence[int]) -> "Strided | None":
        """The axes in that order; None where an axis is no product of factors."""
        axes = self.axes()
        if axes is None:
            return None
        factors = [factor for axis in order for factor in axes[axis]]
        return Strided(tuple(self.shape[axis] for axis in order), _merged(factors))

    def axes(self) -> list[tuple[Factor, ...]] | None:
        """The factors of each axis, in one form for the same elements; None as above."""
        outer = list(self.factors)
        axes: list[tuple[Factor, ...]] = []
        for extent in reversed(self.shape):
            axis: list[Factor] = []
            while extent > 1:
                size, stride = outer.pop()
                if size % extent == 0:
                    outer += _merged([(size // extent, stride * extent)])
                    size = extent
                elif extent % size:
                    return None
                axis.insert(0, (size, stride))
                extent //= size
            axes.insert(0, tuple(axis))
        return axes


def offsets(factors: Iterable[Factor]) -> NDArray[np.int64]:
    """Where in the source the loops over `factors` go, in order."""
    places = np.zeros(1, np.int64)
    for extent, stride in factors:
        places = np.add.outer(places, np.arange(extent, dtype=np.int64) * stride).reshape(-1)
    return places


def _merged(factors: Iterable[Factor]) -> tuple[Factor, ...]:
    """The fewest loops that do the same."""
    merged: list[Factor] = []
    for extent, stride in factors:
        if extent == 1:
            continue
        if merged and merged[-1][1] == extent * stride:
            extent *= merged.pop()[0]
        merged.append((extent, stride))
    return tuple(merged)
