"""Grouped 1x1 convolution of the pixels of a block.

    for item in (splits, pixel groups, vectors of 4 output channels), dealt out to threads:
        sum[pixels, 4] = 0                           # lives in registers
        for k in this split's input channels:        # 4 at a time, as one 128-bit load a pixel
            sum[p, :] += data[p, k] * weight[group, k, vector, :]
    add up the splits                                # through shared memory, if there are several
    out[p, vector] = relu(sum + bias + residual)

Neighbouring threads take neighbouring vectors of channels, so weights and results are consecutive
128-bit accesses, and a pixel's data is one address for all of them. Small maps have few pixels:
splitting the reduction among threads gives each multiprocessor enough loads in flight.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cuda.block import LANES, Block, buffer, padded, serial, unrolled, vector, when_all
from schedules.program import zero

# Values of each pixel's row in a turn of the reduction, and of all pixels of a thread where every
# row has an address of its own.
TOGETHER, VALUES_UNDER_WAY = 8, 32


@dataclass(frozen=True)
class Product:
    """What a grouped 1x1 convolution computes: channels of one group, and its epilogue.

    Groups of weights beyond `sources` begin again with the first group of the data.
    """

    groups: int
    inputs: int
    outputs: int
    activation: str = "none"
    sources: int = 0

    @property
    def vectors(self) -> int:
        """128-bit vectors of output channels of a group."""
        return padded(self.outputs) // LANES

    @property
    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """The packed constants: [group, k, output] and [group, output], outputs padded to four."""
        outputs = self.vectors * LANES
        return {
            "weight": (self.groups, self.inputs, outputs),
            "bias": (self.groups, outputs),
        }

    def source(self, group: Any) -> Any:
        """The group of the data that a group of the weights reads."""
        return group % self.sources if 0 < self.sources < self.groups else group


@dataclass(frozen=True)
class Share:
    """A block's part of a product: `groups` groups from `first` on, of each `vectors` vectors from
    number `start` on; `pixels` a thread, `splits` of the reduction."""

    first: Any
    groups: int
    start: Any
    vectors: int
    pixels: int
    splits: int

    @property
    def columns(self) -> int:
        """Vectors of all groups."""
        return self.groups * self.vectors


@dataclass(frozen=True)
class Spot:
    """Where a vector of results belongs: pixel of the block, column of the share, group, vector."""

    pixel: Any
    column: Any
    group: Any
    vector: Any


@dataclass(frozen=True)
class Access:
    """How rows are read: `step` values at once, from shared memory or from a tensor."""

    step: int
    shared: bool


@dataclass(frozen=True)
class Rows:
    """The data of a product: `load(pixel, group, k)` is a value, k consecutive in steps of `step`.

    A step starts at a multiple of `step` and is one access.
    """

    load: Callable[[Any, Any, Any], Any]
    access: Access

    @property
    def step(self) -> int:
        """Values of one access."""
        return self.access.step


@dataclass(frozen=True)
class Job:
    """A block's share of a product of `count` pixels, and its packed weights and bias."""

    name: str
    block: Block
    product: Product
    share: Share
    count: int
    constants: dict[str, Any]


@dataclass(frozen=True)
class Span:
    """A vector of channels, of `outputs`, from `first` on; `lanes` of them are one access."""

    outputs: int
    first: Any
    lanes: int


Store = Callable[[Spot, Any], None]


def emit_product(job: Job, rows: Rows, store: Store) -> None:
    """Writes the product; `store(spot, sums)` finishes and writes a vector of sums.

    `sums[lane]` are complete but for what comes after the product: see `finish`. Splits and pixels
    a thread are upper limits.
    """
    name, block, count = job.name, job.block, job.count
    product, share = job.product, job.share
    steps = product.inputs // rows.step
    splits = largest_divisor(steps, share.splits)
    pixels = min(share.pixels, count)
    rounds = ceil(count / pixels)
    sums = buffer(f"{name}_sum", (pixels, LANES), "local")
    parts = (
        buffer(f"{name}_part", (splits, rounds * pixels, share.columns * LANES), "shared")
        if splits > 1
        else None
    )
    with block.items(splits * rounds * share.columns) as item:
        column = item % share.columns
        pixel = item // share.columns % rounds * pixels
        split = item // (share.columns * rounds) if splits > 1 else 0
        spot = _spot(share, column, pixel)
        loops = (pixels, split, steps // splits)
        _accumulate(job, rows, spot, loops, sums)
        for p in range(pixels):
            if parts is None:
                inside = [pixel + p < count] if rounds * pixels > count else []
                with when_all(inside):
                    store(Spot(pixel + p, column, spot.group, spot.vector), _Row(sums, p))
                continue
            with vector(LANES) as lane:
                T.buffer_store(parts, sums[p, lane], [split, pixel + p, column * LANES + lane])
    if parts is not None:
        with block.items(count * share.columns) as item:
            column, pixel = item % share.columns, item // share.columns
            total = buffer(f"{name}_total", (1, LANES), "local")
            with vector(LANES) as lane:
                value = parts[0, pixel, column * LANES + lane]
                for split in range(1, splits):
                    value = value + parts[split, pixel, column * LANES + lane]
                T.buffer_store(total, value, [0, lane])
            store(_spot(share, column, pixel), _Row(total, 0))


def finish(
    product: Product, spot: Spot, sums: Any, bias: Any,
    residual: Callable[[Any], Any] | None = None,
) -> None:  # fmt: skip
    """Adds the bias and a residual to a vector of sums and applies the activation, in place."""
    with vector(LANES) as lane:
        value = sums[lane] + bias[spot.group, spot.vector * LANES + lane]
        if residual is not None:
            value = value + residual(lane)
        sums.store(activate(value, product.activation), lane)


def store_global(
    sums: Any, span: Span, conditions: Sequence[Any], write: Callable[[Any, int, Any], None]
) -> None:
    """`write(value, start, lane)` of every lane start + lane of a vector that is a channel."""
    outputs, first, lanes = span.outputs, span.first, span.lanes
    for part in range(LANES // lanes):
        known = [*conditions, first + part * lanes < outputs] if outputs % LANES else conditions
        with when_all(known), vector(lanes) as lane:
            write(sums[part * lanes + lane], part * lanes, lane)


def loads_together(steps: int, pixels: int, access: Access) -> int:
    """How many steps of a reduction are one turn of its loop, whose loads are under way at once:
    two of 128 bits, and no more values than leave registers for sums and addresses."""
    limit = TOGETHER // access.step
    if not access.shared:
        limit = min(limit, VALUES_UNDER_WAY // (pixels * access.step))
    return largest_divisor(steps, max(1, limit))


@cache
def largest_divisor(number: int, limit: int) -> int:
    """The largest divisor of a number up to a limit."""
    return max(d for d in range(1, min(number, limit) + 1) if number % d == 0)


@dataclass(frozen=True)
class _Row:
    """A row of a buffer of registers."""

    values: Any
    row: int

    def __getitem__(self, lane: Any) -> Any:
        return self.values[self.row, lane]

    def store(self, value: Any, lane: Any) -> None:
        """Replaces a lane."""
        T.buffer_store(self.values, value, [self.row, lane])


def _spot(share: Share, column: Any, pixel: Any) -> Spot:
    group = share.first + (column // share.vectors if share.groups > 1 else 0)
    number = column % share.vectors if share.groups > 1 else column
    return Spot(pixel, column, group, share.start + number)


def _accumulate(job: Job, rows: Rows, spot: Spot, loops: tuple[int, Any, int], sums: Any) -> None:
    """The sums of one item over its split of the reduction."""
    pixels, split, steps = loops
    name, count = job.name, job.count
    whole = count % pixels == 0
    data = buffer(f"{name}_data", (pixels, rows.step), "local")
    weight = buffer(f"{name}_weight", (LANES,), "local")
    with unrolled(pixels, "p") as p, vector(LANES) as lane:
        T.buffer_store(sums, zero(), [p, lane])
    together = loads_together(steps, pixels, rows.access)
    with serial(steps // together, "k") as outer, unrolled(together, "u") as inner:
        k = (split * steps + outer * together + inner) * rows.step
        with unrolled(pixels, "p") as p, vector(rows.step) as lane:
            pixel = spot.pixel + p if whole else T.min(spot.pixel + p, count - 1)
            T.buffer_store(data, rows.load(pixel, spot.group, k + lane), [p, lane])
        with unrolled(rows.step, "s") as s:
            with vector(LANES) as lane:
                value = job.constants["weight"][spot.group, k + s, spot.vector * LANES + lane]
                T.buffer_store(weight, value, [lane])
            with unrolled(pixels, "p") as p, vector(LANES) as lane:
                T.buffer_store(sums, sums[p, lane] + data[p, s] * weight[lane], [p, lane])
