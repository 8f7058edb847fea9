"""The loop nest of a 3x3 window: depthwise convolution, pools, and the first convolution.

for strip:                                       # strip_rows rows of output pixels
    for row, vector_block, column_block:
        sum[columns, vectors x lanes] = ...      # lives in registers
        for kh, kw in unroll: ...
        out[row, x, v] = ...

What lies outside the image is not read: at the left and right edge that is settled when the column
blocks are made, at the upper and lower one by a branch that is nearly always predicted. With a
border of zeros in memory there is no branch, but somebody has to write it first, and nobody can
work on the image as one row of pixels. Measured on a Xeon with AVX-512, tiles by hand: without
borders ShuffleNet 1.0x in 3 groups takes 1.9 % less with one thread and 3.2 % with two, MobileNet
1.0 takes 1.4 and 1.7 % less.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.cpu.halo import Ring
from schedules.cpu.moves import Nest, keep_in_registers, partition
from schedules.machine import Machine
from schedules.program import zero

KERNEL = 3


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    strip_rows: int
    columns: int
    vectors: int


@dataclass(frozen=True)
class OrderedTile(Tile):
    """The same, and whether all channels of some columns come before the next columns.

    for row, vector_block, column_block         for row, column_block, vector_block

    Those of a pixel follow each other in memory, so that what a core guesses will be read is right,
    and vectors that share a line need it at the same time.
    """

    channels_inside: bool


def row_under(work: Any, row: Any, tap: Any) -> Any:
    """The row of the source in memory that is under a row of the window of an output row."""
    source, target = work.source, work.target
    if not isinstance(source, Ring):
        # A strip that makes rows outside the image makes anything of them, as nobody reads them.
        row = target.nearest(row)
    _, padding = work.window
    return source.window_row(row, target.height, work.stride, tap, padding)


def under(work: Any, data: Any, at: tuple[Any, Any], tap: tuple[Any, Any], channel: Any) -> Any:
    """The value of the data under a place of the window of an output row and column, or zero."""
    (row, column), (below, right), (_, padding) = at, tap, work.window
    first = work.source.window_column(column, work.stride, padding)
    value = data[row_under(work, row, below), first + right, channel]
    tests = _inside(work, at, tap)
    return T.if_then_else(reduce(T.And, tests), value, zero(work.dtype)) if tests else value


def _inside(work: Any, at: tuple[Any, Any], tap: tuple[Any, Any]) -> list[Any]:
    """What has to be true of a place for it to be in the image: nothing where the border reaches as
    far as the windows do."""
    source, target, (kernel, padding) = work.source, work.target, work.window
    _, y = target.image_and_row(at[0])
    tests = []
    for place, extent, made in (
        (y * work.stride + tap[0] - padding, source.height, target.height),
        (at[1] * work.stride + tap[1] - padding, source.width, target.width),
    ):
        over = (made - 1) * work.stride + kernel - padding - extent
        if padding > source.border:
            tests.append(place >= 0)
        if over > source.border:
            tests.append(place < extent)
    return tests


def stays(work: Any, machine: Machine) -> bool:
    """Whether the first-level cache still holds the rows under the window when the next vectors of
    the same pixels are due."""
    return bool(KERNEL * work.source.bytes // work.source.shape[0] <= machine.l1_bytes)


def orders(work: Any, machine: Machine, columns: int, vectors: int) -> list[bool]:
    """Whether channels may be inside columns in tiles of these, what is likely faster first."""
    first = by_hand(machine)
    whole = vectors == work.vectors.count or columns >= work.target.width
    return [first] if whole else [first, not first]


def by_hand(machine: Machine) -> bool:
    """Whether channels are inside columns where nobody measured.

    Every tile loads its weights anew then. Where registers hold those of all taps, they may stay
    there from one tile to the next of the same channels. Measured with 16 registers, one thread on
    Zen 3: ShuffleNet 1.0x in 3 groups takes 0.4 to 1.3 % less so, and MobileNet 1.0 as long. With
    32, on Zen 4, one thread and two, the first takes as long, and the other up to 0.7 % longer.
    """
    return machine.memory_operands and machine.registers <= 2 * KERNEL * KERNEL


def nest(sch: s_tir.Schedule, name: str, work: Any, tile: Any) -> Nest:
    """The nest of a window that acts on each channel alone; `columns` may be sampled."""
    strip, row, sums = tiled(sch, name, tile, tile.channels_inside)
    *_, x, v, lane, kh, kw = sch.get_loops(sums)
    sch.reorder(kh, kw, x, v, lane)
    sch.unroll(kh)
    sch.unroll(kw)
    keep_in_registers(sch, x, v, lane)
    return Nest((strip,), sums, kh, row=row)


def tiled(
    sch: s_tir.Schedule, name: str, tile: Any, channels_inside: bool = False
) -> tuple[Any, Any, Any]:
    """Tile the result and put the sums in registers.

    The loops over strips and over their rows, and the block of sums.
    """
    sums = sch.get_sblock(f"{name}_sum")
    strip, row, *blocks = in_tiles(sch, name, tile)
    if channels_inside:
        sch.reorder(*reversed(blocks))
    sch.compute_at(sums, blocks[0 if channels_inside else 1], preserve_unit_loops=True)
    sch.set_scope(sums, 0, "local")
    partition(sch, blocks[1])
    return strip, row, sums


def in_tiles(sch: s_tir.Schedule, name: str, tile: Any) -> tuple[Any, Any, Any, Any]:
    """Tile a result of rows, columns, vectors and lanes.

    The loops over strips, over their rows, and over blocks of vectors and of columns.
    """
    r, x, v, lane = sch.get_loops(sch.get_sblock(name))
    strip, row = sch.split(r, [None, tile.strip_rows])
    column_block, column = sch.split(x, [None, tile.columns])
    vector_block, vector = sch.split(v, [None, tile.vectors])
    sch.reorder(strip, row, vector_block, column_block, column, vector, lane)
    keep_in_registers(sch, column, vector, lane)
    return strip, row, vector_block, column_block
