"""Fetching the rows of an image that the next row of windows will read.

    for row, column_block:
        for plane, kh:
            sum[columns] += image[plane, row * stride + kh, columns] * weight[plane, kh]
            fetch a line of image[plane, (row + 1) * stride + kh, column_block]

An image comes from whoever made it, and is in no near cache. Its rows are short and its planes far
apart, so that a core has to guess anew at each of them what is read next.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tvm import s_tir, tirx
from tvm.tirx import PrimFunc

from schedules.cpu.prefetch import fetching

if TYPE_CHECKING:
    from schedules.cpu.first_convolution import FirstConvolution


@dataclass(frozen=True)
class Rows:
    """The loops over planes and over rows under a window, and the block of the multiply-adds, whose
    first axes count rows and columns of the result."""

    planes: Any
    rows: Any
    block: str


def rows_ahead(sch: s_tir.Schedule, loops: Rows, work: "FirstConvolution", image: str) -> PrimFunc:
    """The scheduled function, fetching what it will read next of its parameter `image`."""
    plane, below = sch.get(loops.planes).loop_var, sch.get(loops.rows).loop_var
    _, padding = work.window

    def places(axes: list[Any]) -> list[list[Any]]:
        number, y = work.target.image_and_row(axes[0])
        row = (y + 1) * work.stride + below - padding
        inside = tirx.Min(tirx.Max(row, 0), work.source.height - 1)
        return [[number, plane, inside, axes[1] * work.stride]]

    return fetching(sch, loops.rows, loops.block, image, places)
