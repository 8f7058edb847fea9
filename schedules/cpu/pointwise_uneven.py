"""Grouped 1x1 convolution on a CPU, whose last channels are fewer than the widest vector has lanes.

    for strip in parallel:                           # strip_rows rows of pixels
        for group, row, column_block:
            sum[columns, vectors] = bias             # whole vectors of channels, in registers
            rest[columns, channels x depth] = bias[c], 0, ...
            for k:                                   # input channels, `depth` at a time
                for d:
                    sum[x, v] += data[row, x, k * depth + d] * weight[group, k, d, v]
                rest[x, c, d] += data[row, x, k * depth + d] * weight[group, k, c, d]
            out[row, x] = relu(sum[x, v]), relu(sum over d of rest[x, c, d])

40 channels are two vectors of 16 and one of 8, 20 are one of 16 and 4 more. A stage of its own for
those reads all data anew, and each load serves one multiply-add only. Here they share the data, and
the tile has sums enough that none waits. The last vector is as narrow as costs no more a lane; if
it is still wider than the channels that are left, it takes `depth` input channels at once, which
must not be shuffled then. Adding up the lanes of all vectors, as `pointwise_deep.py` does, takes
more at the end of a tile. Measured on Zen 4, by multiply-adds alone, in assembly: tiles of 5 pixels
take 0.5 % longer than these with 160 inputs and 40 outputs, where five vectors of 2 inputs take
3 %, and 1 % with 80 inputs and 20 outputs, where five vectors of 4 inputs take 9 %.
"""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir, tirx
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.lane_sums import added
from schedules.cpu.moves import Nest, partition
from schedules.cpu.pointwise import source_channel
from schedules.cpu.prefetch import Panel
from schedules.cpu.products import PIXEL_END
from schedules.cpu.uneven_weights import (
    PointwiseUneven,
    pack,
    rounds_of,
    weight_dtype,
    weight_shapes,
    weights,
)
from schedules.machine import Machine
from schedules.program import Tensors, block, scratch, store

__all__ = [
    "NESTS",
    "PointwiseUneven",
    "Tile",
    "emit",
    "hand_tiles",
    "nest",
    "pack",
    "tiles_that_fit",
    "weight_dtype",
    "weight_shapes",
]

NESTS = 2
# Pixels of a tile whose last vector takes several inputs: of fewer there are too few multiply-adds
# for the loads. Measured on Zen 4: 96 and 4 channels take 5 to 14 % longer so than as two stages.
FEWEST_COLUMNS = 3
# Sums of a tile beyond which their stores, all at once, hold up multiply-adds, the cycles that each
# then takes, and those of any of multiply-adds and loads that are instructions of their own, for
# each cycle that they take alone. Measured on Zen 4 in assembly, a load and a multiply-add in turns
# take 1.33 cycles, one and two 2.0; with the share here tiles come in the order that was measured.
BURST, STORE, EITHER = 15, 1.5, 0.57


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest; a tile has all vectors of a group."""

    strip_rows: int
    columns: int


def emit(name: str, work: PointwiseUneven, tensors: Tensors) -> None:
    """Write the blocks of the stage; tensors as of a pointwise convolution without residual."""
    data, weight, bias, out = (tensors[key] for key in ("data", "weight", "bias", "out"))
    axes = {"r": work.source.rows, "x": work.source.width, "g": work.groups, "v": 1}
    shape, each, total = tuple(axes.values()), work.lanes, f"{name}_sum"
    lengths = [each] * work.whole + [work.rest_lanes]
    sums = [
        scratch(f"{total}{v}", shape, f"{work.dtype}x{lanes}") for v, lanes in enumerate(lengths)
    ]
    with block(total, axes, reduce={"k": work.steps}) as (*at, k):
        r, x, g, _ = at
        with T.init():
            for v, lanes in enumerate(lengths):
                T.buffer_store(sums[v], bias[g, T.ramp(v * each, 1, lanes)], at)
        here = work.source.at(r, x, source_channel(work, g, k * work.depth))
        for place, step, v, inputs in weights(work):
            factor = weight[g, 0, T.ramp(place + k * step, 1, lengths[v])]
            value = _repeated(data, here, inputs, lengths[v])
            T.buffer_store(sums[v], sums[v][tuple(at)] + value * factor, at)
    with block(name, axes) as at:
        r, x, g, _ = at
        *whole, value = [one[tuple(at)] for one in sums]
        for v, total_of in enumerate(whole):
            done = activate(total_of, work.activation, work.dtype, each)
            store(out, done, work.target.at(r, x, work.places(g, v * each, each)), each)
        (value,) = added([value], rounds_of(work))
        done = activate(value, work.activation, work.dtype, work.rest)
        last = work.places(g, work.whole * each, work.rest)
        store(out, done, work.target.at(r, x, last), work.rest)


def _repeated(data: Any, at: tuple[Any, Any, Any], inputs: range, lanes: int) -> Any:
    """Values of the data, again and again until they fill a vector."""
    *pixel, first = at
    if len(inputs) == 1:
        return T.broadcast(data[(*pixel, first + inputs[0])], lanes)
    values = data[(*pixel, T.ramp(first + inputs[0], 1, len(inputs)))]
    return tirx.Shuffle([values] * (lanes // len(inputs)), list(range(lanes)))


def nest(sch: s_tir.Schedule, name: str, work: PointwiseUneven, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    out, sums = sch.get_sblock(name), sch.get_sblock(f"{name}_sum")
    r, x, g, v = sch.get_loops(out)
    strip, row = sch.split(r, [None, tile.strip_rows])
    column_block, column = sch.split(x, [None, tile.columns])
    sch.reorder(strip, g, row, column_block, column, v)
    sch.compute_at(sums, column_block, preserve_unit_loops=True)
    for vector in range(work.whole + 1):
        sch.set_scope(sums, vector, "local")
    partition(sch, column_block)
    sch.unroll(column)
    *_, x, group, v, k = sch.get_loops(sums)
    sch.reorder(group, k, x, v)
    sch.unroll(x)
    panel = Panel((row, column_block), (k,), f"{name}_sum_update", 1, macs=work.step_macs)
    return Nest((strip, g), sums, k, unrolled=3, vectorized=False, panel=panel, row=row)


def suits(work: PointwiseUneven, machine: Machine) -> bool:
    """Whether the last vector takes inputs evenly, and tiles have multiply-adds enough for their
    loads.

    One vector and a half have not: measured on Zen 4, 24 channels take 6 to 10 % longer so.
    """
    if work.inputs % work.depth or (work.whole, work.depth) == (1, 1):
        return False
    if work.depth > 1 and work.shuffle > 1:
        return False
    return len(tiles_that_fit(work, machine)) >= (1 if work.depth == 1 else FEWEST_COLUMNS)


def tiles_that_fit(work: PointwiseUneven, machine: Machine) -> list[tuple[int]]:
    """Every number of columns whose sums, weights of a step and one value fit the registers."""
    weights = work.whole * work.depth + 1
    most = (machine.registers - weights - 1) // (work.whole + 1)
    return [(columns,) for columns in range(1, min(work.source.width, most) + 1)]


def hand_tiles(work: PointwiseUneven, machine: Machine, strip_rows: int) -> list[Tile]:
    """The fastest first, as a count of cycles finds."""
    fitting = tiles_that_fit(work, machine)
    fitting.sort(key=lambda tile: cycles(work, machine, *tile))
    return [Tile(strip_rows, *tile) for tile in fitting]


def cycles(work: PointwiseUneven, machine: Machine, columns: int) -> float:
    """Cycles of one pixel of one group with that tile."""
    width, vectors = work.source.width, work.whole + 1
    full, rest = divmod(width, columns)
    tiles = [columns] * full + [rest] * (rest > 0)
    steps = work.steps * sum(_step_cycles(work, machine, pixels) for pixels in tiles)
    held_up = STORE * sum(max(0, pixels * vectors - BURST) for pixels in tiles)
    return (steps + held_up) / width + PIXEL_END


def _step_cycles(work: PointwiseUneven, machine: Machine, pixels: int) -> float:
    """Cycles of a step of a tile. A value that serves one vector alone is part of its multiply-add,
    any other a load of its own."""
    depth, whole = work.depth, work.whole
    multiply = pixels * depth * whole * machine.fma_cycles(work.lanes)
    multiply += pixels * machine.fma_cycles(work.rest_lanes)
    values = (depth if whole > 1 else 0) + (depth > 1)
    loads = (pixels * values + depth * whole) * machine.load_cycles(work.lanes)
    loads += machine.load_cycles(work.rest_lanes)
    return max(multiply, EITHER * (multiply + loads), depth * machine.fma_latency)
