"""The first convolution of a network under a maximum pool: with the maximum over columns.

    for strip in parallel:                           # strip_rows rows of the convolution
        for row, column_block:
            sum[columns, vectors] = bias[v]          # in registers, beside the column before
            for plane, kh, and kw unrolled:
                sum[x, v] += image[plane, y, 2 x + kw - 1] * weight[plane, kh, kw, v]
            out[row, x / 2] = relu(max(sum[x - 1], sum[x], sum[x + 1]))

The maximum over rows is a stage of its own (`row_pool.py`). So half as much is stored, and the rows
under a window of the pool take half the cache. Every second block of an odd number of columns ends
within a window; what that has so far waits for the next block. Measured with one thread on Zen 4,
ShuffleNet 1.0x in 3 groups, this, the pool and the convolution after it take 240 us, and 251 us
with a pool of both; the network takes 0.4 % less, and 0.5 % with one group.
"""

from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import lcm
from typing import Any

from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.first_convolution import FirstConvolution, pack, weight_dtype, weight_shapes
from schedules.cpu.first_convolution_deep import tap
from schedules.cpu.moves import PARTITION, Nest
from schedules.cpu.prefetch_rows import Rows
from schedules.cpu.window import KERNEL
from schedules.machine import Machine
from schedules.program import Tensors, block, local, store, zero

__all__ = ["NESTS", "pack", "weight_dtype", "weight_shapes"]

NESTS = 1
STRIDE = 2
# The share of the registers that sums take at most, and how many there are at least for each that a
# core has under way at once. Measured on Zen 4, 24 channels: of 7 columns, 21 of 32 registers, all
# stay in registers, of 8 not.
SUMS, ENOUGH = 2 / 3, 1.5


@dataclass(frozen=True)
class PooledFirstConvolution(FirstConvolution):
    """A dense 3x3 convolution of stride 2, padded by one, and the maximum over 3 of its columns.

    `target` has the rows of the convolution and the columns of a pool of stride 2, padded by one.
    ReLU comes last, so that zeros may be outside. Blocks are of `columns` of the convolution.
    """

    columns: int = 1

    @property
    def blocks(self) -> int:
        """Blocks in a row."""
        return self.target.width * STRIDE // self.columns

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return STRIDE * super().macs


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest, whose blocks of columns are given."""

    strip_rows: int


def columns_of(work: FirstConvolution, machine: Machine) -> int | None:
    """Columns of a block, if blocks make up the rows of a convolution and end where windows do."""
    even = work.source.width % STRIDE == 0 and work.target.width % STRIDE == 0
    served = even and (work.stride, work.activation) == (STRIDE, "relu") and work.lanes > 1
    # Where multiply-adds take nothing from memory this was not measured.
    if not (served and machine.memory_operands):
        return None
    vectors = work.vectors.count
    fitting = range(int(SUMS * machine.registers / vectors), 0, -1)
    fewest = ENOUGH * machine.fma_latency / machine.fma_cycles(work.lanes)
    return next(
        (
            columns
            for columns in fitting
            if columns * vectors >= fewest and work.target.width % lcm(columns, STRIDE) == 0
        ),
        None,
    )


def emit(name: str, work: PooledFirstConvolution, tensors: Tensors) -> None:
    """Write the nest of the stage: data [images, planes, height, width], weight, bias, out.

    A row is one block for schedules, and what is in it is written as it runs: what goes on from one
    block of columns to the next gives them an order.
    """
    target, columns, vectors = work.target, work.columns, work.vectors.count
    data, weight, bias, out = (tensors[key] for key in ("data", "weight", "bias", "out"))
    with block(name, {"r": target.rows}) as (row,):
        # What a window has so far, and the columns of a block.
        sums = local(f"{name}_sum", (columns + 1, vectors), f"{work.dtype}x{work.lanes}")
        for v in range(vectors):
            T.buffer_store(sums, T.broadcast(zero(work.dtype), work.lanes), [0, v])
        with T.serial(work.blocks, annotations={PARTITION: 1}) as number:
            for x, v in product(range(columns), range(vectors)):
                T.buffer_store(sums, bias[_channels(work, v)], [x + 1, v])
            with (
                T.grid(work.source.planes, KERNEL) as (p, kh),
                T.unroll(KERNEL) as kw,
                T.unroll(columns) as x,
                T.unroll(vectors) as v,
                T.sblock(f"{name}_sum_update"),
            ):
                y = T.axis.spatial(target.rows, row)
                column = T.axis.opaque(target.width * STRIDE, number * columns + x)
                extents = (work.source.planes, KERNEL, KERNEL, columns, vectors)
                loops = zip(extents, (p, kh, kw, x, v), strict=True)
                *taps, slot, vector = (T.axis.opaque(extent, loop) for extent, loop in loops)
                factor = weight[(*taps, vector, T.ramp(0, 1, work.lanes))]
                so_far = sums[slot + 1, vector]
                more = so_far + tap(work, data, y, column, *taps) * factor
                T.buffer_store(sums, more, [slot + 1, vector])
            if columns % STRIDE == 0:
                _finish(work, out, sums, (row, number), odd=False)
            else:
                with T.If(number % STRIDE == 0):
                    with T.Then():
                        _finish(work, out, sums, (row, number), odd=False)
                    with T.Else():
                        _finish(work, out, sums, (row, number), odd=True)


def _finish(
    work: PooledFirstConvolution, out: Any, sums: Any, at: tuple[Any, Any], *, odd: bool
) -> None:
    """Write the stores of the windows that a block ends, and leave the next what they lack.

    The block begins with the first column of a window's last two, or if `odd` with its last.
    """
    row, number = at
    *ended, begun = _windows(work.columns, odd)
    for v in range(work.vectors.count):
        for made, slots in enumerate(ended):
            value = reduce(T.max, [sums[slot, v] for slot in slots])
            done = activate(value, work.activation, work.dtype, work.lanes)
            column = number * work.columns // STRIDE + made
            store(out, done, work.target.at(row, column, _channels(work, v)), work.lanes)
        T.buffer_store(sums, reduce(T.max, [sums[slot, v] for slot in begun]), [0, v])


def _windows(columns: int, odd: bool) -> list[list[int]]:
    """The slots under each window, 0 for what comes from the block before; the last has begun."""
    found, first = [], 0
    after = 1 if odd else STRIDE
    while first <= columns:
        found.append([slot for slot in range(first, after + 1) if slot <= columns])
        first, after = after, after + STRIDE
    return found


def _channels(work: PooledFirstConvolution, vector: Any) -> Any:
    return T.ramp(work.vectors.start(vector), 1, work.lanes)


def nest(sch: s_tir.Schedule, name: str, work: PooledFirstConvolution, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    (r,) = sch.get_loops(sch.get_sblock(name))
    strip, row = sch.split(r, [None, tile.strip_rows])
    update = f"{name}_sum_update"
    *_, p, kh, _kw, _x, _v = sch.get_loops(sch.get_sblock(update))
    return Nest((strip,), rows=Rows(p, kh, update), row=row)


def tiles_that_fit(work: PooledFirstConvolution, machine: Machine) -> list[tuple[()]]:
    """All that there is to choose is the rows of a strip."""
    return [()]


def hand_tiles(work: PooledFirstConvolution, machine: Machine, strip_rows: int) -> list[Tile]:
    """The only one."""
    return [Tile(strip_rows)]
