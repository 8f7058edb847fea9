"""The pixels that a block computes.

A line is so many pixels of the tensor, whatever rows and images they belong to: nothing is lost at
the end of a row of 7. A square has neighbours inside the block, so that a 3x3 window can read what
the same block has computed, a halo of pixels round the square included.
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

    def halo(self, source: Frame, stride: int) -> "Halo":
        """The pixels of `source` that a padded 3x3 window over this square reads."""
        return Halo(self, source, stride)

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
    """What a 3x3 window with this stride reads for a square."""

    square: Square
    source: Frame
    stride: int

    @property
    def columns(self) -> int:
        """Pixels from one row of the halo to the next."""
        return (self.square.columns - 1) * self.stride + KERNEL

    @property
    def count(self) -> int:
        """Pixels of the halo."""
        return ((self.square.rows - 1) * self.stride + KERNEL) * self.columns

    def pixel(self, tile: Any, index: Any) -> Pixel:
        """The pixel of an index below `count`; `inside` says whether it is one of the image."""
        image, row, column = self.square.corner(tile)
        row = row * self.stride - 1 + index // self.columns
        column = column * self.stride - 1 + index % self.columns
        frame = self.source
        inside = (row >= 0, row < frame.height, column >= 0, column < frame.width)
        row = T.max(T.min(row, frame.height - 1), 0)
        column = T.max(T.min(column, frame.width - 1), 0)
        number = (image * frame.height + row) * frame.width + column
        return Pixel(image, row, column, number, inside)

    def index(self, index: Any, down: int, across: int) -> Any:
        """Where the tap (down, across) of the window of a pixel of the square lies in the halo."""
        row = index // self.square.columns * self.stride + down
        return row * self.columns + index % self.square.columns * self.stride + across
