"""The loop nest of a 3x3 window: depthwise convolution, pools, and the first convolution.

for strip:                                       # strip_rows rows of output pixels
    for row, vector_block, column_block:
        sum[columns, vectors x lanes] = ...      # lives in registers
        for kh, kw in unroll: ...
        out[row, x, v] = ...
"""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir

from schedules.cpu.halo import Ring
from schedules.cpu.moves import Nest, keep_in_registers, partition
from schedules.machine import Machine

KERNEL = 3


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    strip_rows: int
    columns: int
    vectors: int


def row_under(work: Any, row: Any, tap: Any, padding: int = 1) -> Any:
    """The row of the source in memory that is under a row of the window of an output row."""
    source, target = work.source, work.target
    if not isinstance(source, Ring):
        # A strip that makes rows outside the image makes anything of them, as they become zeros.
        row = target.nearest(row)
    return source.window_row(row, target.height, work.stride, tap, padding)


def stays(work: Any, machine: Machine) -> bool:
    """Whether the first-level cache still holds the rows under the window when the next vectors of
    the same pixels are due."""
    return bool(KERNEL * work.source.bytes // work.source.shape[0] <= machine.l1_bytes)


def nest(sch: s_tir.Schedule, name: str, work: Any, tile: Any) -> Nest:
    """The nest of a window that acts on each channel alone; fields of `tile` may be sampled."""
    strip, row, sums = tiled(sch, name, tile)
    *_, x, v, lane, kh, kw = sch.get_loops(sums)
    sch.reorder(kh, kw, x, v, lane)
    sch.unroll(kh)
    sch.unroll(kw)
    keep_in_registers(sch, x, v, lane)
    return Nest((strip,), sums, kh, row=row)


def tiled(sch: s_tir.Schedule, name: str, tile: Any) -> tuple[Any, Any, Any]:
    """Tile the result and put the sums in registers.

    The loops over strips and over their rows, and the block of sums.
    """
    out, sums = sch.get_sblock(name), sch.get_sblock(f"{name}_sum")
    r, x, v, lane = sch.get_loops(out)
    strip, row = sch.split(r, [None, tile.strip_rows])
    column_block, column = sch.split(x, [None, tile.columns])
    vector_block, vector = sch.split(v, [None, tile.vectors])
    sch.reorder(strip, row, vector_block, column_block, column, vector, lane)
    sch.compute_at(sums, column_block, preserve_unit_loops=True)
    sch.set_scope(sums, 0, "local")
    partition(sch, column_block)
    keep_in_registers(sch, column, vector, lane)
    return strip, row, sums
