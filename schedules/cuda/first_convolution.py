"""First convolution of the pixels of a block, straight from its piece of the image.

    for item in (runs of pixels in a row, vectors of output channels), dealt out to threads:
        sum[pixels of the run, lanes] = 0            # lives in registers
        for plane, kh in the window:
            row = piece[plane, values under the run] # each read once, one address for all vectors
            sum[p, :] += row[p * stride + kw] * weight[plane, kh, kw, vector, :] for p, kw in unroll
        out[pixels of the run, vector] = relu(sum + bias)

No row of values under a window is laid out: neighbours in a row share most of what lies under
theirs. Runs that do not divide a row overlap at its end, where two threads store the same values.
What is scarce is registers: a run of 8 has 32 sums and 17 values of stride 2.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import select
from schedules.cuda.epilogue import Epilogue, finish
from schedules.cuda.loops import serial, unrolled, vector
from schedules.cuda.patch import KERNEL, Halo
from schedules.cuda.product import Job, Spot, spot_of
from schedules.cuda.vectors import Row, buffer
from schedules.cuda.window import TAPS, pixels_under
from schedules.program import zero


@dataclass(frozen=True)
class Piece:
    """A block's piece of an image in shared memory: [plane, pixel of `image`], zero off it."""

    values: Any
    image: Halo
    planes: int


@dataclass(frozen=True)
class Runs:
    """A row of pixels as `across` runs of `pixels` neighbours each."""

    pixels: int
    across: int


def runs_of(columns: int, most: int) -> Runs:
    """The runs of a row of so many pixels, none longer than `most` and all of the same length."""
    across = ceil(columns / most)
    return Runs(ceil(columns / across), across)


def emit_first_convolution(job: Job, piece: Piece, epilogue: Epilogue) -> None:
    """Writes the convolution of the pixels whose windows are in the piece."""
    inner, share, lanes = piece.image.inner, job.share, job.product.lanes
    runs = runs_of(inner.columns, share.pixels)
    sums = buffer(f"{job.name}_sum", (runs.pixels, lanes), "local")
    with job.block.items(inner.rows * runs.across * share.columns) as item:
        number = item // share.columns
        start = number % runs.across * runs.pixels
        if runs.across * runs.pixels > inner.columns:
            start = T.min(start, inner.columns - runs.pixels)
        pixel = number // runs.across * inner.columns + start
        spot = spot_of(share, item % share.columns, pixel)
        with unrolled(runs.pixels, "p") as p, vector(lanes) as lane:
            T.buffer_store(sums, zero(), [p, lane])
        _add_windows(job, piece, spot, sums, runs.pixels)
        for p in range(runs.pixels):
            own = Spot(pixel + p, spot.column, spot.group, spot.vector)
            finish(job, epilogue, own, Row(sums, p))


def _add_windows(job: Job, piece: Piece, spot: Spot, sums: Any, run: int) -> None:
    """Adds what lies under the windows of a run, row by row of every plane."""
    image, lanes, constants = piece.image, job.product.lanes, job.constants["weight"]
    under = pixels_under(run, image.stride)
    row = buffer(f"{job.name}_row", (under,), "local")
    weight = buffer(f"{job.name}_tap", (KERNEL, lanes), "local")
    with serial(piece.planes, "plane") as plane:
        for down in range(KERNEL):
            for place in range(under):
                at, inside = image.under(spot.pixel, down, place, run)
                T.buffer_store(row, select(inside, piece.values[plane, at]), [place])
            with unrolled(KERNEL, "across") as across, vector(lanes) as lane:
                k = plane * TAPS + down * KERNEL + across
                value = constants[spot.group, k, spot.vector * lanes + lane]
                T.buffer_store(weight, value, [across, lane])
            for across in range(KERNEL):
                with unrolled(run, "p") as p, vector(lanes) as lane:
                    made = row[p * image.stride + across] * weight[across, lane]
                    T.buffer_store(sums, sums[p, lane] + made, [p, lane])
