"""Grouped 1x1 convolution of the pixels of a block, a vector of channels a thread.

    for item in (splits, pixel groups, vectors of output channels), dealt out to threads:
        sum[pixels, lanes] = 0                       # lives in registers, in float32
        for k in this split's input channels:        # a 128-bit load of each pixel at a time
            sum[p, :] += data[p, k] * weight[group, k, vector, :]
    add up the splits                                # through shared memory, if there are several
    out[p, vector] = relu(sum + bias + residual)

Neighbouring threads take neighbouring vectors of channels, so weights and results are consecutive
128-bit accesses, and a pixel's data is one address for all of them; behind a line of the cache of
them come the next pixels, whose threads read the same weights. Small maps have few pixels:
splitting the reduction among threads gives each multiprocessor enough loads in flight.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import when_all
from schedules.cuda.loops import serial, unrolled, vector
from schedules.cuda.product import (
    Access,
    Job,
    Rows,
    Spot,
    Store,
    add_up,
    largest_divisor,
    parts_buffer,
    spot_of,
)
from schedules.cuda.vectors import SUM, Row, buffer, lanewise, quads, widened
from schedules.program import zero

# Accesses of 128 bits in a line of the cache, or in all banks of shared memory.
LINE = 8


def emit_by_lanes(job: Job, rows: Rows, store: Store) -> None:
    """Writes the product. Splits and pixels a thread are upper limits."""
    block, count, product, share = job.block, job.count, job.product, job.share
    lanes, steps = product.lanes, product.inputs // rows.step
    splits = largest_divisor(steps, share.splits)
    pixels = min(share.pixels, count)
    rounds = ceil(count / pixels)
    sums = buffer(f"{job.name}_sum", (pixels, lanes), "local")
    parts = None
    if splits > 1:
        parts = parts_buffer(job.name, splits, rounds * pixels, share.columns * lanes)
    each = share.columns * rounds
    with block.items(splits * each) as item:
        split, own = (item // each, item % each) if splits > 1 else (0, item)
        column, pixel = _place(own, rounds, share.columns, rows.access)
        spot = spot_of(share, column, pixel)
        _accumulate(job, rows, spot, _Loops(pixels, rounds, split, steps // splits), sums)
        for p in range(pixels):
            at = pixel + p * rounds
            if parts is None:
                inside = [at < count] if rounds * pixels > count else []
                with when_all(inside):
                    store(Spot(at, column, spot.group, spot.vector), Row(sums, p))
                continue
            with quads(lanes) as lane:
                place = parts.place(split, at, column * lanes + lane)
                T.buffer_store(parts.values, sums[p, lane], place)
    if parts is not None:
        add_up(job, parts, splits, store)


def steps_together(steps: int, values: int, lanes: int) -> int:
    """How many steps of a reduction, of so many values each, are one turn of its loop: those whose
    values are one access of 128 bits, as registers are left for no more beside sums and weights."""
    return largest_divisor(steps, max(1, lanes // values))


def columns_together(columns: int, access: Access) -> int:
    """How many columns neighbouring threads have before the next ones have the next pixel. Eight
    vectors of weights are a line of the cache, and threads of other pixels read the same ones; but
    rows that do not lie in shared memory are lines of their own, which cost more than weights."""
    fits = largest_divisor(columns, LINE)
    return fits if access.shared and 2 * fits > LINE else columns


@dataclass(frozen=True)
class _Loops:
    """An item's work: `pixels` pixels, `rounds` apart; `steps` steps of number `split`."""

    pixels: int
    rounds: int
    split: Any
    steps: int


def _place(item: Any, rounds: int, columns: int, access: Access) -> tuple[Any, Any]:
    """The column and the first pixel of an item of a split. Pixels of neighbouring threads are
    neighbours, whose rows lie in different banks."""
    near = columns_together(columns, access)
    if near == columns:
        return item % columns, item // columns
    return item // (near * rounds) * near + item % near, item // near % rounds


def _accumulate(job: Job, rows: Rows, spot: Spot, loops: _Loops, sums: Any) -> None:
    """The sums of one item over its split of the reduction. In float32 the weights of a turn are
    under way while the turn before it is computed; those of halves leave no registers for more."""
    name, count, pixels = job.name, job.count, loops.pixels
    lanes, dtype = job.product.lanes, job.product.dtype
    together = steps_together(loops.steps, rows.step, lanes)
    turns, values = loops.steps // together, together * rows.step
    ahead = dtype == SUM and turns > 1
    data = buffer(f"{name}_data", (pixels, values), "local", dtype)
    weights = [
        buffer(f"{name}_weight{n}", (values, lanes), "local", dtype) for n in range(1 + ahead)
    ]

    def fetch(turn: Any, into: Any) -> None:
        k = (loops.split * turns + turn) * values
        with unrolled(values, "s") as s, vector(lanes) as lane:
            value = job.constants["weight"][spot.group, k + s, spot.vector * lanes + lane]
            T.buffer_store(into, value, [s, lane])

    def add(turn: Any, weight: Any) -> None:
        k = (loops.split * turns + turn) * values
        with unrolled(pixels, "p") as p, unrolled(together, "u") as u, vector(rows.step) as lane:
            pixel = spot.pixel + p * loops.rounds
            pixel = pixel if count % pixels == 0 else T.min(pixel, count - 1)
            value = rows.load(pixel, spot.group, k + u * rows.step + lane)
            T.buffer_store(data, value, [p, u * rows.step + lane])
        with unrolled(values, "s") as s, unrolled(pixels, "p") as p, lanewise(lanes, dtype) as lane:
            made = widened(data[p, s]) * widened(weight[s, lane])
            T.buffer_store(sums, sums[p, lane] + made, [p, lane])

    with unrolled(pixels, "p") as p, quads(lanes) as lane:
        T.buffer_store(sums, zero(), [p, lane])
    if not ahead:
        with serial(turns, "k") as turn:
            fetch(turn, weights[0])
            add(turn, weights[0])
        return
    fetch(0, weights[0])
    with serial(turns // 2, "k") as pair:
        fetch(pair * 2 + 1, weights[1])
        add(pair * 2, weights[0])
        # Past the last turn it is that one again, which is not used.
        fetch(T.min(pair * 2 + 2, turns - 1), weights[0])
        add(pair * 2 + 1, weights[1])
    if turns % 2:
        add(turns - 1, weights[0])
