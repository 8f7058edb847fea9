"""Fetching the rows that the next row of depthwise windows adds to those of this one.

    for row, vector_block, column_block:
        for kh, kw:
            sum[columns, vectors] += data[row * stride + kh, columns + kw, vectors] * weight[kh, kw]
        fetch data[rows that the next row adds, columns, vectors]

A frame larger than the second-level cache comes from further away, and is read a few neighbouring
channels of a pixel at a time: what a core guesses ends at the page, which holds few pixels.
Measured with one thread on Zen 4 without AVX-512, MobileNet 1.0 took 5 % less for an image of
480 x 640, and as long as before for one of 224 x 224.
"""

from math import ceil
from typing import Any

import numpy as np
from tvm import s_tir, tirx
from tvm.tirx import PrimFunc

from schedules.cpu.depthwise import Depthwise
from schedules.cpu.prefetch import LATER, fetching
from schedules.cpu.window import KERNEL, Tile, row_under
from schedules.machine import LINE

# A frame of which the second-level cache of few cores holds the rows from one use to the next.
FAR_BYTES = 2**20


def windows_ahead(
    sch: s_tir.Schedule, kernel_rows: Any, work: Depthwise, tile: Tile, names: tuple[str, str]
) -> PrimFunc:
    """The scheduled function, fetching what the next row of windows adds to those of this one.

    `names` are those of the block of the multiply-adds and of the parameter with the data. Each of
    the kernel's rows fetches its share. It is the function as it is where the frame is not far.
    """
    if work.source.bytes <= FAR_BYTES:
        return sch.mod["main"]
    block, data = names
    rows, width, channels = work.source.shape
    size = np.dtype(work.dtype).itemsize
    own, line = tile.vectors * work.lanes, LINE // size
    # Of tiles that read part of a line, each fetches its share of the pixels.
    sharing, lines = max(1, line // own), ceil(own / line)
    pixels = ceil(tile.columns * work.stride / sharing)
    each = ceil(work.stride * pixels * lines / KERNEL)
    below = sch.get(kernel_rows).loop_var

    def places(axes: list[Any]) -> list[list[Any]]:
        first = row_under(work, axes[0], KERNEL)
        left = work.source.window_column(axes[1], work.stride) + KERNEL - 1
        channel = work.vectors.start(axes[2])
        made = []
        for number in range(each):
            count = below * each + number
            row = first + count // (pixels * lines)
            column = left + count // lines % pixels * sharing + channel // own % sharing
            place = row, column, channel + count % lines * line
            last = rows - 1, width - 1, channels - 1
            made.append([tirx.Min(at, end) for at, end in zip(place, last, strict=True)])
        return made

    return fetching(sch, kernel_rows, block, data, places, LATER)
