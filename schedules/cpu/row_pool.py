"""The maximum over rows that is left of a pool of 3x3 whose maximum over columns has been taken.

    for strip in parallel:                           # strip_rows rows of output pixels
        for row, vector_block, column_block:
            out[row, columns, v] = max(data[row * 2 + kh - 1, columns, v] for kh)

The stage before it is `first_convolution_paired.py`. Channels are lanes, and outside the image are
zeros, as under any maximum that follows a ReLU.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.cpu.moves import Nest
from schedules.cpu.pool import Pool
from schedules.cpu.window import KERNEL, Tile, in_tiles, row_under
from schedules.machine import Machine
from schedules.program import Tensors, block, store, zero

__all__ = ["NESTS", "Tile"]

NESTS = 1


@dataclass(frozen=True)
class RowPool(Pool):
    """A maximum over three rows of each column and channel; no value is negative."""


def emit(name: str, work: RowPool, tensors: Tensors) -> None:
    """Write the block of the stage: data and out."""
    data, out = tensors["data"], tensors["out"]
    vectors, source, target = work.vectors, work.source, work.target
    axes = {"r": target.rows, "x": target.width, "v": vectors.count, "l": work.lanes}
    with block(name, axes) as (r, x, v, lane):
        channel = vectors.start(v) + lane
        _, y = target.image_and_row(r)

        def under(kh: int) -> Any:
            row = y * work.stride + kh - 1
            column = source.window_column(x, 1, 0)
            value = data[row_under(work, r, kh), column, channel]
            inside = T.And(row >= 0, row < source.height)
            return T.if_then_else(inside, value, zero(work.dtype))

        store(out, reduce(T.max, map(under, range(KERNEL))), target.at(r, x, channel))


def weight_shapes(work: RowPool) -> dict[str, tuple[int, ...]]:
    """A pool has no constants."""
    return {}


def nest(sch: s_tir.Schedule, name: str, work: RowPool, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    strip, row, *_ = in_tiles(sch, name, tile)
    return Nest((strip,), row=row)


def tiles_that_fit(work: RowPool, machine: Machine) -> list[tuple[int, int]]:
    """Every (columns, vectors) that make up a row, of fewer values than registers."""
    return [
        (columns, vectors)
        for vectors in range(1, work.vectors.count + 1)
        for columns in range(1, work.target.width + 1)
        if work.vectors.count % vectors == 0
        and work.target.width % columns == 0
        and columns * vectors < machine.registers
    ]


def hand_tiles(work: RowPool, machine: Machine, strip_rows: int) -> list[Tile]:
    """All channels of a pixel first, as they follow each other, and several pixels."""
    fitting = tiles_that_fit(work, machine)
    fitting.sort(key=lambda tile: (-tile[1], abs(tile[0] * tile[1] - machine.registers // 2)))
    return [Tile(strip_rows, *tile) for tile in fitting]
