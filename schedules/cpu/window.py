"""The loops that all windows share: depthwise convolution, pools, and the first convolution.

for strip:                                       # strip_rows rows of output pixels
    for row, vector_block, column_block:         # or vector_block, row, column_block
        sum[columns, vectors x lanes] = ...      # lives in registers
        out[row, x, v] = ...
"""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir

from schedules.cpu.moves import keep_in_registers, partition

KERNEL = 3


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    strip_rows: int
    columns: int
    vectors: int


def tiled(sch: s_tir.Schedule, name: str, tile: Any, blocks_first: bool = False) -> tuple[Any, Any]:
    """Tile the result and put the sums in registers; the strip loop and the block of sums."""
    out, sums = sch.get_sblock(name), sch.get_sblock(f"{name}_sum")
    r, x, v, lane = sch.get_loops(out)
    strip, row = sch.split(r, [None, tile.strip_rows])
    column_block, column = sch.split(x, [None, tile.columns])
    vector_block, vector = sch.split(v, [None, tile.vectors])
    outer = (vector_block, row) if blocks_first else (row, vector_block)
    sch.reorder(strip, *outer, column_block, column, vector, lane)
    sch.compute_at(sums, column_block, preserve_unit_loops=True)
    sch.set_scope(sums, 0, "local")
    partition(sch, column_block)
    keep_in_registers(sch, column, vector, lane)
    return strip, sums
