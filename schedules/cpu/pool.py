"""Pooling with a 3x3 window on a CPU.

    for strip in parallel:                           # strip_rows rows of output pixels
        for row, vector_block, column_block:
            best[columns, vectors x lanes] = 0       # lives in registers
            for kh, kw in unroll:
                best[x, v] = max(best[x, v], data[row * stride + kh, x * stride + kw, v])
            out[row, x, v] = best[x, v]

and the same with a sum and a factor of 1/9 for the average. Channels are lanes. The data has a
border of zeros: for an average that counts the padding, that is what is asked for; for a maximum
it is right where no value is negative, so after a ReLU.
"""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.cpu.activation import activate
from schedules.cpu.moves import Nest, keep_in_registers, partition
from schedules.frame import Frame
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch, zero
from schedules.vectors import Vectors

KERNEL = 3
NESTS = 2


@dataclass(frozen=True)
class Pool:
    """A 3x3 "max" or "average" over each channel, padded by one, to `target` from `offset` on."""

    source: Frame
    target: Frame
    kind: str
    stride: int
    lanes: int
    offset: int = 0
    activation: str = "none"
    macs: int = 0

    @property
    def vectors(self) -> Vectors:
        """The channels as vectors."""
        return Vectors(self.source.channels, self.lanes)


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    strip_rows: int
    columns: int
    vectors: int


def emit(name: str, work: Pool, tensors: Tensors) -> None:
    """Write the blocks of the stage: data with a border of zeros, and out."""
    data, out = tensors["data"], tensors["out"]
    vectors, stride, target, total = work.vectors, work.stride, work.target, f"{name}_sum"
    axes = {"r": target.rows, "x": target.width, "v": vectors.count, "l": work.lanes}
    sums = scratch(total, tuple(axes.values()))
    with block(total, axes, reduce={"kh": KERNEL, "kw": KERNEL}) as (r, x, v, lane, kh, kw):
        row = work.source.window_row(r, target.height, stride) + kh
        value = data[row, x * stride + kw, vectors.start(v) + lane]
        with T.init():
            T.buffer_store(sums, zero(), [r, x, v, lane])
        so_far = sums[r, x, v, lane]
        combined = T.max(so_far, value) if work.kind == "max" else so_far + value
        T.buffer_store(sums, combined, [r, x, v, lane])
    with block(name, axes) as (r, x, v, lane):
        value = sums[r, x, v, lane]
        if work.kind == "average":
            value = value * T.float32(1 / (KERNEL * KERNEL))
        at = target.at(r, x, work.offset + vectors.start(v) + lane)
        T.buffer_store(out, activate(value, work.activation), list(at))


def weight_shapes(work: Pool) -> dict[str, tuple[int, ...]]:
    """A pool has no constants."""
    return {}


def nest(sch: s_tir.Schedule, name: str, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
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
    *_, x, v, lane, kh, kw = sch.get_loops(sums)
    sch.reorder(kh, kw, x, v, lane)
    sch.unroll(kh)
    sch.unroll(kw)
    keep_in_registers(sch, x, v, lane)
    return Nest((strip,), sums, kh)


def tiles_that_fit(work: Pool, machine: Machine) -> list[tuple[int, int]]:
    """Every (columns, vectors) whose results and one row of data fit the registers."""
    return [
        (columns, vectors)
        for vectors in range(1, work.vectors.count + 1)
        for columns in range(1, min(work.target.width, machine.registers) + 1)
        if work.vectors.count % vectors == 0
        and vectors * (columns + (columns - 1) * work.stride + KERNEL) <= machine.registers
    ]


def hand_tile(work: Pool, machine: Machine, strip_rows: int) -> Tile:
    """The widest row of one vector: every load serves up to three results."""
    columns, vectors = max(tiles_that_fit(work, machine), key=lambda tile: (-tile[1], tile[0]))
    return Tile(strip_rows, columns, vectors)
