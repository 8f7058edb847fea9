"""Local response normalisation on a CPU.

    for strip in parallel:                           # strip_rows rows of pixels
        for row:
            square[column, c] = data[row, column, c]²        # zeros before and after the channels
            for column, vector_block:
                s = bias + alpha / size * (sum over size neighbours of square[column, c ...])
                out[row, column, v] = data[row, column, v] / s^0.75

Channels are lanes. The squares of a row lie in the first-level cache with zeros at both ends of
each pixel, so that neighbours are loads at shifted addresses without a condition. The power of 3/4
is sqrt(s) sqrt(sqrt(s)), which are vector instructions; a general one would be a call for each
number, so no other exponent is served.
"""

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from tvm import s_tir
from tvm.script.ir_builder import tirx as T

from schedules.cpu.channel_sums import ChannelSums, Tile, weight_shapes
from schedules.cpu.moves import Nest, partition
from schedules.frame import Frame
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch, store, zero

__all__ = [
    "NESTS",
    "Normalisation",
    "Tile",
    "emit",
    "hand_tiles",
    "nest",
    "tiles_that_fit",
    "weight_shapes",
]

NESTS = 2


@dataclass(frozen=True)
class Normalisation(ChannelSums):
    """Every value divided by (bias + alpha * mean of the squares of `size` channels)^(3/4)."""

    source: Frame
    target: Frame
    size: int
    alpha: float
    bias: float
    lanes: int
    macs: int = 0


def emit(name: str, work: Normalisation, tensors: Tensors) -> None:
    """Write the blocks of the stage: data and out."""
    data, out = tensors["data"], tensors["out"]
    source, vectors, squares = work.source, work.vectors, f"{name}_sum"
    before = work.size // 2
    padded = {"r": source.rows, "x": source.width, "c": source.channels + work.size - 1}
    made = scratch(squares, tuple(padded.values()))
    with block(squares, padded) as (r, x, c):
        inside = T.And(c >= before, c < before + source.channels)
        value = T.cast(data[source.at(r, x, c - before)], work.dtype)
        T.buffer_store(made, T.if_then_else(inside, value * value, zero()), [r, x, c])
    axes = {"r": source.rows, "x": source.width, "v": vectors.count, "l": work.lanes}
    with block(name, axes) as (r, x, v, lane):
        channel = vectors.start(v) + lane
        total = reduce(add, [made[r, x, channel + d] for d in range(work.size)])
        scale = T.float32(work.bias) + T.float32(work.alpha / work.size) * total
        root = T.sqrt(scale)
        value = T.cast(data[source.at(r, x, channel)], work.dtype) / (root * T.sqrt(root))
        store(out, value, work.target.at(r, x, channel))


def nest(sch: s_tir.Schedule, name: str, work: Normalisation, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    out, squares = sch.get_sblock(name), sch.get_sblock(f"{name}_sum")
    r, _, v, lane = sch.get_loops(out)
    strip, row = sch.split(r, [None, tile.strip_rows])
    _, vector = sch.split(v, [None, tile.vectors])
    sch.compute_at(squares, row, preserve_unit_loops=True)
    partition(sch, sch.get_loops(squares)[-1])
    sch.unroll(vector)
    sch.vectorize(lane)
    return Nest((strip,))


def tiles_that_fit(work: Normalisation, machine: Machine) -> list[tuple[int]]:
    """Every number of vectors that divides the channels and leaves registers free."""
    return [
        (vectors,)
        for vectors in range(1, machine.registers // 4 + 1)
        if work.vectors.count % vectors == 0
    ]


def hand_tiles(work: Normalisation, machine: Machine, strip_rows: int) -> list[Tile]:
    """As many vectors at once as the registers allow, to spare the loop."""
    fitting = sorted(tiles_that_fit(work, machine), reverse=True)
    return [Tile(strip_rows, vectors) for (vectors,) in fitting]
