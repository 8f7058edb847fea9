"""What a grouped 1x1 convolution of a block's pixels is, and what comes after its sums.

    out[p, vector] = relu(sum over k of data[p, k] * weight[group, k, vector] + bias + residual)

A vector is what 128 bits hold of a tensor: four channels of float32, eight of float16. How the sums
come about is in `product_lanes.py` and `product_matrices.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cuda.block import Block, when_all
from schedules.cuda.device import LOAD_EARLY
from schedules.cuda.fragments import fragments_shape
from schedules.cuda.loops import vector
from schedules.cuda.vectors import (
    Lanes,
    Row,
    buffer,
    channel_at,
    lanes_of,
    lanewise,
    padded,
    quads,
    read,
    widened,
)
from schedules.program import TensorType


@dataclass(frozen=True)
class Product:
    """What a grouped 1x1 convolution computes: channels of one group, and its epilogue.

    Groups of weights beyond `sources` begin again with the first group of the data. Data and
    weights are of type `dtype`; with `matrices`, tensor cores multiply them.
    """

    groups: int
    inputs: int
    outputs: int
    activation: str = "none"
    sources: int = 0
    dtype: str = "float32"
    matrices: bool = False

    @property
    def lanes(self) -> int:
        """Channels of a vector."""
        return lanes_of(self.dtype)

    @property
    def vectors(self) -> int:
        """128-bit vectors of output channels of a group."""
        return padded(self.outputs, self.dtype) // self.lanes

    @property
    def weight_types(self) -> dict[str, TensorType]:
        """The packed constants: [group, k, output] and [group, output], outputs in vectors; the
        weights of tensor cores as their fragments, see `fragments.py`."""
        outputs = self.vectors * self.lanes
        shape: tuple[int, ...] = (self.groups, self.inputs, outputs)
        if self.matrices:
            shape = fragments_shape(*shape)
        return {
            "weight": TensorType(shape, self.dtype),
            "bias": TensorType((self.groups, outputs), self.dtype),
        }

    @property
    def macs(self) -> int:
        """Multiply-adds for a pixel."""
        return self.groups * self.inputs * self.outputs

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

    A step starts at a multiple of `step` and is one access. `kept` are the `SharedRows` in
    which they lie, if they do: [pixel, group of the block x inputs + k].
    """

    load: Callable[[Any, Any, Any], Any]
    access: Access
    kept: Any = None

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


# Writes what a thread may do while others are not yet ready with their items of a product.
Meanwhile = Callable[[], None]


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


def spot_of(share: Share, column: Any, pixel: Any) -> Spot:
    """Where the results of a column of a share belong."""
    group = share.first + (column // share.vectors if share.groups > 1 else 0)
    number = column % share.vectors if share.groups > 1 else column
    return Spot(pixel, column, group, share.start + number)


def add_up(job: Job, parts: Parts, splits: int, epilogue: Epilogue) -> None:
    """The sums of all splits, and what comes after. If every thread has one vector at most, what is
    added to it is under way while the splits are not yet complete."""
    share, lanes, dtype = job.share, job.product.lanes, job.product.dtype
    items = job.count * share.columns
    adding, early = _added(job, epilogue), []
    if items <= job.block.threads:
        early = [one for one in adding if one.width == lanes]
        copies = [buffer(f"{job.name}_{one.name}", (lanes,), "local", dtype) for one in early]
        with job.block.items(items) as item:
            spot = _whole_spot(share, item)
            for one, copy in zip(early, copies, strict=True):
                load_early(one.tensor, [one.row(spot), one.first(spot)], copy, 0)
    with job.block.items(items) as item:
        spot = _whole_spot(share, item)
        total = buffer(f"{job.name}_total", (1, lanes), "local")
        with quads(lanes) as lane:
            own = spot.column * lanes + lane
            value = parts.values[parts.place(0, spot.pixel, own)]
            for split in range(1, splits):
                value = value + parts.values[parts.place(split, spot.pixel, own)]
            T.buffer_store(total, value, [0, lane])
        loaded = [_copied(copy) for copy in copies] if early else []
        loaded += [_loaded(job.product, one, spot) for one in adding if one not in early]
        _finish(job, epilogue, spot, Row(total, 0), loaded)


def finish(job: Job, epilogue: Epilogue, spot: Spot, sums: Any) -> None:
    """What comes after complete sums, in place."""
    loaded = [_loaded(job.product, one, spot) for one in _added(job, epilogue)]
    _finish(job, epilogue, spot, sums, loaded)


def load_early(tensor: Any, place: Sequence[Any], into: Any, offset: int) -> None:
    """The 128 bits at a place of a tensor to registers, where this is written and not later."""
    flat: Any = 0
    for index, extent in zip(place, tensor.shape, strict=True):
        flat = flat * int(extent) + index
    to, source = into.access_ptr("w", offset=offset), tensor.access_ptr("r", offset=flat)
    T.evaluate(T.call_extern("void", LOAD_EARLY, to, source))


def _whole_spot(share: Share, item: Any) -> Spot:
    """Where the vector of an item belongs, when every pixel's columns are neighbours."""
    return spot_of(share, item % share.columns, item // share.columns)


def _added(job: Job, epilogue: Epilogue) -> list[Added]:
    """The vectors that are added to sums."""
    lanes, bias = job.product.lanes, job.constants["bias"]
    first = Added("bias", bias, lambda spot: spot.group, lambda spot: spot.vector * lanes, lanes)
    return [first, *([epilogue.residual] if epilogue.residual else [])]


def _finish(job: Job, epilogue: Epilogue, spot: Spot, sums: Any, loaded: Sequence[Lanes]) -> None:
    product = job.product
    with lanewise(product.lanes, product.dtype) as lane:
        value = sums[lane]
        for one in loaded:
            value = value + one(lane)
        sums.store(activate(value, product.activation), lane)
    epilogue.store(spot, sums)


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


@cache
def largest_divisor(number: int, limit: int) -> int:
    """The largest divisor of a number up to a limit."""
    return max(d for d in range(1, min(number, limit) + 1) if number % d == 0)
