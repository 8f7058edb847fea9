"""Fetching the rows of an image that the next row of windows will read.

    for row, column_block:
        for plane, kh:
            sum[columns] += image[plane, row * stride + kh, columns] * weight[plane, kh]
            fetch a line of image[plane, (row + 1) * stride + kh, column_block]

An image comes from whoever made it, and is in no near cache. Its rows are short and its planes far
apart, so that a core has to guess anew at each of them what is read next.
"""

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from tvm import s_tir, tirx
from tvm.tirx import PrimFunc

from schedules.cpu.prefetch import fetching
from schedules.machine import LINE

if TYPE_CHECKING:
    from schedules.cpu.first_convolution import FirstConvolution


@dataclass(frozen=True)
class Rows:
    """The loop over planes and the one in it over rows under a window, if it is one, and the block
    of the multiply-adds, whose first axes count rows and columns of the result.

    Without a loop over rows all new ones are fetched: by as many tiles, of `columns` columns, as a
    line has of them, each some.
    """

    planes: Any
    rows: Any | None
    block: str
    columns: int = 1


def rows_ahead(sch: s_tir.Schedule, loops: Rows, work: "FirstConvolution", image: str) -> PrimFunc:
    """The scheduled function, fetching what it will read next of its parameter `image`."""
    plane = sch.get(loops.planes).loop_var
    kernel, padding = work.window
    made = work.rows_at_once

    def rows_under(column: Any) -> list[Any]:
        if loops.rows is not None:
            return [sch.get(loops.rows).loop_var]
        new = made * work.stride
        size = np.dtype(work.source.dtype).itemsize
        turns = min(max(LINE // (loops.columns * work.stride * size), 1), new)
        each = ceil(new / turns)
        first = column // loops.columns % turns * each
        return [kernel - work.stride + first + at for at in range(each)]

    def places(axes: list[Any]) -> list[list[Any]]:
        number, y = work.target.image_and_row(axes[0])
        rows = [(y + made) * work.stride + under - padding for under in rows_under(axes[1])]
        inside = [tirx.Min(tirx.Max(row, 0), work.source.height - 1) for row in rows]
        return [[number, plane, row, axes[1] * work.stride] for row in inside]

    loop = loops.planes if loops.rows is None else loops.rows
    return fetching(sch, loop, loops.block, image, places)
