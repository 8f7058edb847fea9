"""Grouped 1x1 convolution of the pixels of a block, a vector of channels a thread.

    for item in (splits, pixel groups, vectors of output channels), dealt out to threads:
        sum[pixels, lanes] = 0                       # lives in registers, in float32
        for k in this split's input channels:        # a 128-bit load of each pixel at a time
            sum[p, :] += data[p, k] * weight[group, k, vector, :]
    add up the splits                                # through shared memory, if there are several
    out[p, vector] = relu(sum + bias + residual)

Neighbouring threads take neighbouring vectors of channels, so weights and results are consecutive
128-bit accesses, and a pixel's data is one address for all of them. Small maps have few pixels:
splitting the reduction among threads gives each multiprocessor enough loads in flight.
"""

from math import ceil
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import serial, when_all
from schedules.cuda.product import (
    Access,
    Job,
    Row,
    Rows,
    Spot,
    Store,
    add_up,
    largest_divisor,
    parts_buffer,
    spot_of,
)
from schedules.cuda.vectors import buffer, lanewise, quads, unrolled, vector, widened
from schedules.program import zero

# Values of each pixel's row in a turn of the reduction, and of all pixels of a thread where every
# row has an address of its own.
TOGETHER, VALUES_UNDER_WAY = 8, 32


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
    with block.items(splits * rounds * share.columns) as item:
        column = item % share.columns
        pixel = item // share.columns % rounds * pixels
        split = item // (share.columns * rounds) if splits > 1 else 0
        spot = spot_of(share, column, pixel)
        loops = (pixels, split, steps // splits)
        _accumulate(job, rows, spot, loops, sums)
        for p in range(pixels):
            if parts is None:
                inside = [pixel + p < count] if rounds * pixels > count else []
                with when_all(inside):
                    store(Spot(pixel + p, column, spot.group, spot.vector), Row(sums, p))
                continue
            with quads(lanes) as lane:
                place = parts.place(split, pixel + p, column * lanes + lane)
                T.buffer_store(parts.values, sums[p, lane], place)
    if parts is not None:
        add_up(job, parts, splits, store)


def loads_together(steps: int, pixels: int, access: Access) -> int:
    """How many steps of a reduction are one turn of its loop, whose loads are under way at once:
    no more values than leave registers for sums and addresses."""
    limit = TOGETHER // access.step
    if not access.shared:
        limit = min(limit, VALUES_UNDER_WAY // (pixels * access.step))
    return largest_divisor(steps, max(1, limit))


def _accumulate(job: Job, rows: Rows, spot: Spot, loops: tuple[int, Any, int], sums: Any) -> None:
    """The sums of one item over its split of the reduction."""
    pixels, split, steps = loops
    name, count, lanes, dtype = job.name, job.count, job.product.lanes, job.product.dtype
    whole = count % pixels == 0
    data = buffer(f"{name}_data", (pixels, rows.step), "local", dtype)
    weight = buffer(f"{name}_weight", (lanes,), "local", dtype)
    with unrolled(pixels, "p") as p, quads(lanes) as lane:
        T.buffer_store(sums, zero(), [p, lane])
    together = loads_together(steps, pixels, rows.access)
    with serial(steps // together, "k") as outer, unrolled(together, "u") as inner:
        k = (split * steps + outer * together + inner) * rows.step
        with unrolled(pixels, "p") as p, vector(rows.step) as lane:
            pixel = spot.pixel + p if whole else T.min(spot.pixel + p, count - 1)
            T.buffer_store(data, rows.load(pixel, spot.group, k + lane), [p, lane])
        with unrolled(rows.step, "s") as s:
            with vector(lanes) as lane:
                value = job.constants["weight"][spot.group, k + s, spot.vector * lanes + lane]
                T.buffer_store(weight, value, [lane])
            with unrolled(pixels, "p") as p, lanewise(lanes, dtype) as lane:
                made = widened(data[p, s]) * widened(weight[lane])
                T.buffer_store(sums, sums[p, lane] + made, [p, lane])
