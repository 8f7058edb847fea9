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

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import when_all
from schedules.cuda.epilogue import Epilogue, add_up, finish, parts_buffer
from schedules.cuda.loops import serial, unrolled, vector
from schedules.cuda.product import Access, Job, Meanwhile, Rows, Spot, largest_divisor, spot_of
from schedules.cuda.vectors import SUM, Row, buffer, lanewise, load_early, quads, widened
from schedules.program import zero

# Accesses of 128 bits in a line of the cache, or in all banks of shared memory.
LINE = 8
# A longer reduction makes good for the wait at its begin.
FEW_TURNS = 16
# Pixels a thread that leave registers for weights of halves of two turns.
FEW_PIXELS = 2


@dataclass(frozen=True)
class Nest:
    """The loops of a product: items of `splits` splits, of `pixels` pixels that are `rounds` apart,
    each with `turns` turns of `values` values of the reduction. Weights of a turn come to the
    registers of `weights`; if it has `begun`, those of every thread's first turn are under way.
    """

    access: Access
    splits: int
    pixels: int
    rounds: int
    turns: int
    values: int
    weights: tuple[Any, ...]
    begun: bool = False

    @property
    def items(self) -> int:
        """Items for a column of vectors."""
        return self.splits * self.rounds


def nest_of(job: Job, access: Access) -> Nest:
    """The loops of a product, whose splits and pixels a thread are upper limits. If registers allow
    it, the weights of a turn are under way while the turn before it is computed."""
    product, share = job.product, job.share
    steps = product.inputs // access.step
    splits = largest_divisor(steps, share.splits)
    pixels = min(share.pixels, job.count)
    together = steps_together(steps // splits, access.step, product.lanes)
    turns, values = steps // splits // together, together * access.step
    ahead = keeps_two_turns(product.dtype, pixels) and turns > 1
    weights = tuple(
        buffer(f"{job.name}_weight{n}", (values, product.lanes), "local", product.dtype)
        for n in range(1 + ahead)
    )
    return Nest(access, splits, pixels, ceil(job.count / pixels), turns, values, weights)


def begin_by_lanes(job: Job, access: Access) -> Nest:
    """The loops of a product, with the first weights of every thread under way: whatever is written
    between this and the product hides the time that they take. Where threads have several items,
    each of a long reduction, that time is little beside the rest."""
    nest = nest_of(job, access)
    several = nest.items * job.share.columns > job.block.threads
    roomy = keeps_two_turns(job.product.dtype, nest.pixels)
    if not roomy or (several and nest.turns > FEW_TURNS):
        return nest
    split, spot = _spot(job, nest, T.min(job.block.thread, nest.items * job.share.columns - 1))
    for number in range(nest.values):
        k = split * nest.turns * nest.values + number
        place = [spot.group, k, spot.vector * job.product.lanes]
        load_early(job.constants["weight"], place, nest.weights[0], number * job.product.lanes)
    return replace(nest, begun=True)


def emit_by_lanes(
    job: Job, rows: Rows, epilogue: Epilogue, nest: Nest, meanwhile: Meanwhile
) -> None:
    """Writes the product."""
    count, share, lanes = job.count, job.share, job.product.lanes
    sums = buffer(f"{job.name}_sum", (nest.pixels, lanes), "local")
    parts, kept = None, nest.rounds * nest.pixels
    if nest.splits > 1:
        parts = parts_buffer(job.name, nest.splits, kept, share.columns * lanes)
    items, threads = nest.items * share.columns, job.block.threads
    with job.block.items(items) as item:
        split, spot = _spot(job, nest, item)
        _accumulate(job, rows, (split, spot), nest, sums)
        if nest.begun and items > threads:
            # The first weights of the thread's next item, or again of the last one.
            after, following = _spot(job, nest, T.min(item + threads, items - 1))
            _fetch(job, nest, following, after * nest.turns, nest.weights[0])
        for p in range(nest.pixels):
            at = spot.pixel + p * nest.rounds
            if parts is None:
                inside = [at < count] if kept > count else []
                with when_all(inside):
                    own = Spot(at, spot.column, spot.group, spot.vector)
                    finish(job, epilogue, own, Row(sums, p))
                continue
            with quads(lanes) as lane:
                place = parts.place(split, at, spot.column * lanes + lane)
                T.buffer_store(parts.values, sums[p, lane], place)
    meanwhile()
    if parts is not None:
        add_up(job, parts, nest.splits, epilogue)


def keeps_two_turns(dtype: str, pixels: int) -> bool:
    """Whether a thread of so many pixels has registers for the weights of two turns: of halves a
    turn has a vector for each of the eight values of an access."""
    return dtype == SUM or pixels <= FEW_PIXELS


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


def _spot(job: Job, nest: Nest, item: Any) -> tuple[Any, Spot]:
    """The split of an item, and where its first pixel's results belong."""
    each = job.share.columns * nest.rounds
    split, own = (item // each, item % each) if nest.splits > 1 else (0, item)
    column, pixel = _place(own, nest.rounds, job.share.columns, nest.access)
    return split, spot_of(job.share, column, pixel)


def _place(item: Any, rounds: int, columns: int, access: Access) -> tuple[Any, Any]:
    """The column and the first pixel of an item of a split. Pixels of neighbouring threads are
    neighbours, whose rows lie in different banks."""
    near = columns_together(columns, access)
    if near == columns:
        return item % columns, item // columns
    return item // (near * rounds) * near + item % near, item // near % rounds


def _fetch(job: Job, nest: Nest, spot: Spot, turn: Any, into: Any) -> None:
    """The weights of a turn of the whole reduction to registers."""
    lanes = job.product.lanes
    with unrolled(nest.values, "s") as s, vector(lanes) as lane:
        k = turn * nest.values + s
        value = job.constants["weight"][spot.group, k, spot.vector * lanes + lane]
        T.buffer_store(into, value, [s, lane])


def _accumulate(job: Job, rows: Rows, item: tuple[Any, Spot], nest: Nest, sums: Any) -> None:
    """The sums of one item, a split and a spot, over the turns of its split."""
    split, spot = item
    first = split * nest.turns
    count, pixels, values, turns = job.count, nest.pixels, nest.values, nest.turns
    lanes, dtype, step = job.product.lanes, job.product.dtype, rows.step
    data = buffer(f"{job.name}_data", (pixels, values), "local", dtype)

    def fetch(turn: Any, into: Any) -> None:
        _fetch(job, nest, spot, first + turn, into)

    def add(turn: Any, weight: Any) -> None:
        k = (first + turn) * values
        with unrolled(pixels, "p") as p, unrolled(values // step, "u") as u, vector(step) as lane:
            pixel = spot.pixel + p * nest.rounds
            pixel = pixel if count % pixels == 0 else T.min(pixel, count - 1)
            value = rows.load(pixel, spot.group, k + u * step + lane)
            T.buffer_store(data, value, [p, u * step + lane])
        with unrolled(values, "s") as s, unrolled(pixels, "p") as p, lanewise(lanes, dtype) as lane:
            made = widened(data[p, s]) * widened(weight[s, lane])
            T.buffer_store(sums, sums[p, lane] + made, [p, lane])

    with unrolled(pixels, "p") as p, quads(lanes) as lane:
        T.buffer_store(sums, zero(), [p, lane])
    if len(nest.weights) == 1:
        with serial(turns, "k") as turn:
            if not nest.begun:
                fetch(turn, nest.weights[0])
            add(turn, nest.weights[0])
        return
    even, uneven = nest.weights
    if not nest.begun:
        fetch(0, even)
    with serial(turns // 2, "k") as pair:
        fetch(pair * 2 + 1, uneven)
        add(pair * 2, even)
        # Past the last turn it is that one again, which is not used.
        fetch(T.min(pair * 2 + 2, turns - 1), even)
        add(pair * 2 + 1, uneven)
    if turns % 2:
        add(turns - 1, even)
