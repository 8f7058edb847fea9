"""The rows of a frame that a strip makes for itself: those under the 3x3 windows of its own rows.

    strips of 4 rows, stride 1        strip 0 makes rows -1 .. 4, strip 1 rows 3 .. 8, ...

Two rows of each strip are made by its neighbour as well. In return the frame never leaves the
cache, and strips need not wait for each other. Rows -1 and `height` are the border of zeros.
"""

from dataclasses import dataclass
from typing import Any

WINDOW = 3


@dataclass(frozen=True)
class Halo:
    """`strips` strips of `rows` rows each, every one `step` rows below the one before."""

    rows: int
    step: int
    strips: int

    @property
    def made(self) -> int:
        """Rows that all strips make together."""
        return self.rows * self.strips

    def row(self, index: Any) -> Any:
        """The row of the frame that is made as the index-th of all strips."""
        return index // self.rows * self.step + index % self.rows - 1


def halo(strip_rows: int, stride: int, target_rows: int) -> Halo:
    """The rows under windows whose results are `target_rows` rows, in strips of `strip_rows`."""
    rows = (strip_rows - 1) * stride + WINDOW
    return Halo(rows, strip_rows * stride, target_rows // strip_rows)
