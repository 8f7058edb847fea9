"""How an activation lies in memory: channels last, all images below each other.

    frame[image * (height + 2 border) + border + y, border + x, channel]

A border of zeros on each side lets a convolution that adds up channels run without a condition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Frame:
    """The extents of an activation in pixels and channels, and the zeros around each image.

    After the channels of each pixel, `spare` elements are neither read nor written.

    Each has a type of its own, and what an operator reads and stores is converted where its
    arithmetic is of another.
    """

    images: int
    height: int
    width: int
    channels: int
    border: int = 0
    dtype: str = "float32"
    spare: int = 0

    @property
    def bytes(self) -> int:
        """As allocated."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels as allocated."""
        rows = self.images * (self.height + 2 * self.border)
        return rows, self.width + 2 * self.border, self.channels + self.spare

    @property
    def rows(self) -> int:
        """Rows of pixels of all images, without borders."""
        return self.images * self.height

    @property
    def pixels(self) -> int:
        """Pixels of all images, without borders."""
        return self.rows * self.width

    @property
    def pixel_axes(self) -> dict[str, int]:
        """The pixels as one axis, or as rows and columns if a border lies between rows."""
        if self.border == 0:
            return {"p": self.pixels}
        return {"r": self.rows, "x": self.width}

    def row_and_column(self, pixel: Sequence[Any]) -> tuple[Any, Any]:
        """Where a pixel is, given as its number or by row and column."""
        if len(pixel) == 1:
            return pixel[0] // self.width, pixel[0] % self.width
        return pixel[0], pixel[1]

    def at(self, row: Any, column: Any, channel: Any) -> tuple[Any, Any, Any]:
        """The index in memory of a pixel's channel; rows are counted over all images."""
        if self.border == 0:
            return row, column, channel
        if self.images > 1:
            row = row + 2 * self.border * (row // self.height)
        return row + self.border, column + self.border, channel

    def image_and_row(self, row: Any) -> tuple[Any, Any]:
        """The image and its row, of a row counted over all images."""
        return row // self.height, row % self.height

    def nearest(self, row: Any) -> Any:
        """A row of this frame, or the one nearest to it if there is none."""
        return row

    def window_row(
        self, row: Any, target_height: int, stride: int, tap: Any = 0, padding: int = 1
    ) -> Any:
        """The row in memory under a row of a window, padded by `padding`, of an output row.

        The output row is counted over all images, of `target_height` rows each. The padding lies
        in the border, which is at least as wide.
        """
        first = self.border - padding + tap
        if self.images == 1:
            return row * stride + first
        image = row // target_height * (self.height + 2 * self.border)
        return image + row % target_height * stride + first

    def window_column(self, column: Any, stride: int, padding: int = 1) -> Any:
        """The first column in memory under such a window of an output column."""
        return column * stride + (self.border - padding)


@dataclass(frozen=True)
class Planes:
    """Images as people hand them in: one plane a colour, no border."""

    images: int
    planes: int
    height: int
    width: int
    dtype: str = "float32"

    @property
    def bytes(self) -> int:
        """As handed in."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Images, planes, rows and columns."""
        return self.images, self.planes, self.height, self.width
