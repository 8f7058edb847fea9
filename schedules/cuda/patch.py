"""The pixels that a block computes.

A line is so many pixels of the tensor, whatever rows and images they belong to: nothing is lost at
the end of a row of 7. A square has neighbours inside the block, so that a 3x3 window can read what
the same block has computed, a halo of pixels round the square included. A square of the whole image
needs no halo, and what lies off the image is computed nowhere.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.frame import Frame

KERNEL = 3


@dataclass(frozen=True)
class Pixel:
    """A pixel by image, row and column, its number in the tensor, and when there is such a one."""

    image: Any
    row: Any
    column: Any
    number: Any
    inside: tuple[Any, ...]


@dataclass(frozen=True)
class Line:
    """`count` pixels of a frame in order of memory."""

    frame: Frame
    count: int

    @property
    def tiles(self) -> int:
        """Blocks that cover the frame."""
        return ceil(self.frame.pixels / self.count)

    def pixel(self, tile: Any, index: Any) -> Pixel:
        """The pixel of an index below `count`; past the end the last one, which is not inside."""
        pixels, frame = self.frame.pixels, self.frame
        number = tile * self.count + index
        inside: tuple[Any, ...] = ()
        if pixels % self.count:
            inside = (number < pixels,)
            number = T.min(number, pixels - 1)
        each = frame.height * frame.width
        return Pixel(
            number // each, number % each // frame.width, number % frame.width, number, inside
        )


@dataclass(frozen=True)
class Square:
    """`rows` x `columns` pixels of one image."""

    frame: Frame
    rows: int
    columns: int

    @property
    def count(self) -> int:
        """Pixels of a block."""
        return self.rows * self.columns

    @property
    def tiles(self) -> int:
        """Blocks that cover the frame."""
        return self.frame.images * self._down * self._across

    def pixel(self, tile: Any, index: Any) -> Pixel:
        """The pixel of an index below `count`; past the edge the nearest, which is not inside."""
        return self._at(tile, index // self.columns, index % self.columns)

    @property
    def covers(self) -> tuple[bool, bool]:
        """Whether a block has all rows, and all columns, of its image."""
        return self.rows == self.frame.height, self.columns == self.frame.width

    @property
    def _down(self) -> int:
        return ceil(self.frame.height / self.rows)

    @property
    def _across(self) -> int:
        return ceil(self.frame.width / self.columns)

    def corner(self, tile: Any) -> tuple[Any, Any, Any]:
        """Image, row and column of the first pixel."""
        each = self._down * self._across
        place = tile % each
        return tile // each, place // self._across * self.rows, place % self._across * self.columns

    def _at(self, tile: Any, down: Any, across: Any) -> Pixel:
        frame, inside = self.frame, []
        image, row, column = self.corner(tile)
        row, column = row + down, column + across
        if frame.height % self.rows:
            inside.append(row < frame.height)
            row = T.min(row, frame.height - 1)
        if frame.width % self.columns:
            inside.append(column < frame.width)
            column = T.min(column, frame.width - 1)
        number = (image * frame.height + row) * frame.width + column
        return Pixel(image, row, column, number, tuple(inside))


@dataclass(frozen=True)
class Halo:
    """What a padded 3x3 window with this stride reads for the pixels of `inner`, which are a square
    or the halo of one. Of an image that a block has whole, the pixels off it are left out."""

    inner: "Square | Halo"
    source: Frame
    stride: int

    @property
    def covers(self) -> tuple[bool, bool]:
        """Whether a block has all rows, and all columns, of its image."""
        return self.inner.covers

    @property
    def rows(self) -> int:
        """Rows of the halo."""
        return self._extent(self.inner.rows, self.source.height, self.covers[0])

    @property
    def columns(self) -> int:
        """Pixels from one row of the halo to the next."""
        return self._extent(self.inner.columns, self.source.width, self.covers[1])

    @property
    def count(self) -> int:
        """Pixels of the halo."""
        return self.rows * self.columns

    def corner(self, tile: Any) -> tuple[Any, Any, Any]:
        """Image, row and column of the first pixel, which may be off the image."""
        image, row, column = self.inner.corner(tile)
        down, across = self._margins
        return image, row * self.stride - down, column * self.stride - across

    def pixel(self, tile: Any, index: Any) -> Pixel:
        """The pixel of an index below `count`; `inside` says whether it is one of the image."""
        image, row, column = self.corner(tile)
        row, column = row + index // self.columns, column + index % self.columns
        frame, inside = self.source, []
        if not self.covers[0]:
            inside += [row >= 0, row < frame.height]
            row = T.max(T.min(row, frame.height - 1), 0)
        if not self.covers[1]:
            inside += [column >= 0, column < frame.width]
            column = T.max(T.min(column, frame.width - 1), 0)
        number = (image * frame.height + row) * frame.width + column
        return Pixel(image, row, column, number, tuple(inside))

    def under(
        self, index: Any, down: int, across: int, run: int = 1
    ) -> tuple[Any, tuple[Any, ...]]:
        """Where the tap (down, across) of the window of a pixel of `inner` lies in the halo, and
        when it is in it; `across` goes on to the windows of the `run` pixels that begin there."""
        above, before = self._margins
        row = index // self.inner.columns * self.stride + above - 1 + down
        column = index % self.inner.columns * self.stride + before - 1 + across
        inside = []
        last = (run - 1) * self.stride + KERNEL - 1
        for place, tap, end, extent, whole in (
            (row, down, KERNEL - 1, self.rows, self.covers[0]),
            (column, across, last, self.columns, self.covers[1]),
        ):
            # Between the first and the last tap there are pixels.
            if whole and tap == 0:
                inside.append(place >= 0)
            if whole and tap == end:
                inside.append(place < extent)
        return row * self.columns + column, tuple(inside)

    @property
    def _margins(self) -> tuple[int, int]:
        """Rows before the first, and columns, that the window's padding reaches."""
        down, across = self.covers
        return 0 if down else 1, 0 if across else 1

    def _extent(self, inner: int, whole: int, covered: bool) -> int:
        return whole if covered else (inner - 1) * self.stride + KERNEL
