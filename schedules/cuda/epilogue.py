"""What comes after the sums of a product: splits added up, bias, residual, activation, stores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cuda.block import when_all
from schedules.cuda.loops import vector
from schedules.cuda.product import Job, Product, Share, Spot, spot_of
from schedules.cuda.vectors import (
    Lanes,
    Row,
    buffer,
    channel_at,
    lanewise,
    load_early,
    quads,
    read,
    widened,
)

NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Span:
    """A vector of `vector` channels, of `outputs`, from `first` on; `lanes` are one access."""

    outputs: int
    first: Any
    vector: int
    lanes: int


@dataclass(frozen=True)
class Added:
    """Vectors of a tensor that are added to those of sums: that of a spot begins at channel
    `first(spot)` of row `row(spot)`; `width` values are one access."""

    name: str
    tensor: Any
    row: Callable[[Spot], Any]
    first: Callable[[Spot], Any]
    width: int


@dataclass(frozen=True)
class Epilogue:
    """What comes after the sums of a product: what is added to them, the residual if there is one,
    and `store(spot, sums)`, which writes a vector of the results `sums[lane]`."""

    residual: Added | None
    store: Callable[[Spot, Any], None]


@dataclass(frozen=True)
class Parts:
    """Sums of a block's splits in shared memory: of `rows` pixels each, a row `stride` values
    after the other. It is one buffer without rows, whose ends the compiler would cut off."""

    values: Any
    rows: int
    stride: int

    def place(self, split: Any, pixel: Any, column: Any) -> list[Any]:
        """Where a sum lies."""
        return [(split * self.rows + pixel) * self.stride + column]


def parts_buffer(name: str, splits: int, rows: int, stride: int) -> Parts:
    """Shared memory for the sums of a product."""
    return Parts(buffer(f"{name}_part", (splits * rows * stride,), "shared"), rows, stride)


def add_up(job: Job, parts: Parts, splits: int, epilogue: Epilogue) -> None:
    """The sums of all splits, and what comes after. If every thread has one vector at most, what is
    added to it is under way while the splits are not yet complete."""
    share, lanes, dtype = job.share, job.product.lanes, job.product.dtype
    items = job.count * share.columns
    copies: dict[str, Any] = {}
    if items <= job.block.threads:
        with job.block.items(items) as item:
            spot = _whole_spot(share, item)
            for one in _added(job, epilogue):
                if one.width == lanes:
                    copy = buffer(f"{job.name}_{one.name}", (lanes,), "local", dtype)
                    load_early(one.tensor, [one.row(spot), one.first(spot)], copy, 0)
                    copies[one.name] = copy
    with job.block.items(items) as item:
        spot = _whole_spot(share, item)
        total = buffer(f"{job.name}_total", (1, lanes), "local")
        with quads(lanes) as lane:
            own = spot.column * lanes + lane
            value = parts.values[parts.place(0, spot.pixel, own)]
            for split in range(1, splits):
                value = value + parts.values[parts.place(split, spot.pixel, own)]
            T.buffer_store(total, value, [0, lane])
        finish(job, epilogue, spot, Row(total, 0), copies)


def finish(
    job: Job, epilogue: Epilogue, spot: Spot, sums: Any, copies: Mapping[str, Any] = NONE
) -> None:
    """What comes after complete sums, in place; `copies` of what is added are in registers."""
    product = job.product
    loaded = [
        _copied(copies[one.name]) if one.name in copies else _loaded(product, one, spot)
        for one in _added(job, epilogue)
    ]
    with lanewise(product.lanes, product.dtype) as lane:
        value = sums[lane]
        for one in loaded:
            value = value + one(lane)
        sums.store(activate(value, product.activation), lane)
    epilogue.store(spot, sums)


def _whole_spot(share: Share, item: Any) -> Spot:
    """Where the vector of an item belongs, when every pixel's columns are neighbours."""
    return spot_of(share, item % share.columns, item // share.columns)


def _added(job: Job, epilogue: Epilogue) -> list[Added]:
    """The vectors that are added to sums."""
    lanes, bias = job.product.lanes, job.constants["bias"]
    first = Added("bias", bias, lambda spot: spot.group, lambda spot: spot.vector * lanes, lanes)
    return [first, *([epilogue.residual] if epilogue.residual else [])]


def _copied(copy: Any) -> Lanes:
    return lambda lane: widened(copy[lane])


def _loaded(product: Product, added: Added, spot: Spot) -> Lanes:
    """A vector that is added, in float32."""
    lanes, dtype, each = product.lanes, product.dtype, added.width
    row = partial(channel_at, added.tensor, added.row(spot))
    first = added.first(spot)
    if each == lanes:
        return read(added.name, lanes, dtype, partial(row, first))
    copy = buffer(f"{added.name}_copy", (lanes,), "local", dtype)
    channels = int(added.tensor.shape[1])
    for start in range(0, lanes, each):
        # A vector past the last group's end adds what is not stored.
        begin = T.min(first + start, channels - each)
        with vector(each) as lane:
            T.buffer_store(copy, row(begin, lane), [start + lane])
    return _copied(copy)


def store_global(span: Span, conditions: Sequence[Any], write: Callable[[int], None]) -> None:
    """`write(start)` of every access of a vector, if what starts there is a channel."""
    outputs, first, lanes = span.outputs, span.first, span.lanes
    for start in range(0, span.vector, lanes):
        known = [*conditions, first + start < outputs] if outputs % span.vector else conditions
        with when_all(known):
            write(start)
