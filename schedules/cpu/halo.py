"""The rows of a frame that a strip makes for itself: those under the 3x3 windows of its own rows.

    strips of 4 rows, stride 1        strip 0 makes rows -1 .. 4, strip 1 rows 3 .. 8, ...

Two rows of each strip are made by its neighbour as well. In return the frame never leaves the
cache, and strips need not wait for each other. Rows -1 and `height` are made of anything, and no
window reads them. No more rows are kept than the windows of a step reach: each strip has a ring of
them, in which a new row takes the place of one that no window will read again.
"""

from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from tvm import tirx

from schedules.frame import Frame
from schedules.machine import PAGE

WINDOW = 3


@dataclass(frozen=True)
class Halo:
    """`strips` strips of `rows` rows each, every one `step` rows below the one before.

    The first strip begins with row `first`. Of each strip `kept` rows are in memory at a time.
    After them the place of `apart` rows is left out. Windows reach none of the `above` first rows
    of a strip and of the `below` last ones, which are there where rows are made together.
    """

    rows: int
    step: int
    strips: int
    first: int
    kept: int
    apart: int = 0
    above: int = 0
    below: int = 0

    @property
    def held(self) -> int:
        """Rows that each strip has in memory."""
        return self.kept + self.apart

    @property
    def made(self) -> int:
        """Rows that all strips make together."""
        return self.rows * self.strips

    def row(self, index: Any) -> Any:
        """The row of the frame that is made as the index-th of all strips."""
        return index // self.rows * self.step + index % self.rows + self.first

    def nearest(self, index: Any, height: int) -> Any:
        """That row, or the one nearest to it of the `height` that there are."""
        return tirx.Min(tirx.Max(self.row(index), 0), height - 1)

    def slot(self, strip: Any, row: Any) -> Any:
        """Where a row of a strip, counted in the order they are made, is in memory."""
        return strip * self.held + row % self.kept


def rows_apart(frame: Frame) -> int:
    """The rows of a frame that have no less than a page.

    A core that goes through the same few rows again and again fetches what comes after them in
    their page, before it knows that it has to turn back. Where that is what another core goes
    through, that one has to have it back each time. Measured with two threads on Zen 4, cores that
    have no cache in common: the first kernel of MobileNet 1.0 takes 637 us for 677, and the network
    0.9 % less, ShuffleNet 1.0x in 3 groups 0.9 to 1.4 %; where cores are near it is the same.
    """
    _, columns, channels = frame.shape
    return ceil(PAGE / (columns * channels * np.dtype(frame.dtype).itemsize))


@dataclass(frozen=True)
class Ring(Frame):
    """A frame of one image of which every strip makes rows for itself and keeps some of them.

    Rows are counted as they are made, those of the first strip first.
    """

    halo: Halo = field(kw_only=True)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels as allocated."""
        _, columns, channels = super().shape
        return self.halo.strips * self.halo.held, columns, channels

    @property
    def rows(self) -> int:
        """Rows that all strips make."""
        return self.halo.made

    @property
    def pixel_axes(self) -> dict[str, int]:
        """The pixels as rows and columns, as rows do not follow each other in memory."""
        return {"r": self.rows, "x": self.width}

    def image_and_row(self, row: Any) -> tuple[Any, Any]:
        """The only image, and the row of it; -1 and `height` are rows too, and others beyond."""
        return 0, self.halo.row(row)

    def nearest(self, row: Any) -> Any:
        """The row of the image that is made as that one, or nearest to what lies outside."""
        return self.halo.nearest(row, self.height)

    def at(self, row: Any, column: Any, channel: Any) -> tuple[Any, Any, Any]:
        """The index in memory of a pixel's channel."""
        halo = self.halo
        slot = halo.slot(row // halo.rows, row % halo.rows)
        return slot, column, channel

    def window_row(
        self, row: Any, target_height: int, stride: int, tap: Any = 0, padding: int = 1
    ) -> Any:
        """The row in memory under a row of a 3x3 window, padded by one.

        The output row is counted as it is made, too, if the strip makes it for itself.
        """
        halo = self.halo
        each = (halo.rows - halo.above - halo.below - WINDOW) // stride + 1
        return halo.slot(row // each, halo.above + row % each * stride + tap)


@dataclass(frozen=True)
class Reread(Frame):
    """A whole frame of one image whose rows are counted as those that strips make of another."""

    halo: Halo = field(kw_only=True)

    @property
    def rows(self) -> int:
        """Rows that all strips read."""
        return self.halo.made

    @property
    def pixel_axes(self) -> dict[str, int]:
        """The pixels as rows and columns, as strips have rows in common."""
        return {"r": self.rows, "x": self.width}

    def at(self, row: Any, column: Any, channel: Any) -> tuple[Any, Any, Any]:
        """The index in memory of a pixel's channel; what lies outside is the row nearest to it."""
        return super().at(self.halo.nearest(row, self.height), column, channel)
