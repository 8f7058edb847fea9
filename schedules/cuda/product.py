"""What a grouped 1x1 convolution of a block's pixels is, and what comes after its sums.

    out[p, vector] = relu(sum over k of data[p, k] * weight[group, k, vector] + bias + residual)

A vector is what 128 bits hold of a tensor: four channels of float32, eight of float16. How the sums
come about is in `product_lanes.py` and `product_matrices.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from schedules.cuda.block import Block
from schedules.cuda.fragments import fragments_shape
from schedules.cuda.vectors import (
    lanes_of,
    padded,
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

    @cached_property
    def lanes(self) -> int:
        """Channels of a vector."""
        return lanes_of(self.dtype)

    @cached_property
    def vectors(self) -> int:
        """128-bit vectors of output channels of a group."""
        return padded(self.outputs, self.dtype) // self.lanes

    @cached_property
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

    @cached_property
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
    which they lie, if they do: [pixel, group of the block x inputs + k]. Those of a first
    convolution may be no rows, but windows in the `Piece` of an image.
    """

    load: Callable[[Any, Any, Any], Any]
    access: Access
    kept: Any = None
    piece: Any = None

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


# Writes what a thread may do while others are not yet ready with their items of a product.
Meanwhile = Callable[[], None]


def spot_of(share: Share, column: Any, pixel: Any) -> Spot:
    """Where the results of a column of a share belong."""
    group = share.first + (column // share.vectors if share.groups > 1 else 0)
    number = column % share.vectors if share.groups > 1 else column
    return Spot(pixel, column, group, share.start + number)


@cache
def largest_divisor(number: int, limit: int) -> int:
    """The largest divisor of a number up to a limit."""
    return max(d for d in range(1, min(number, limit) + 1) if number % d == 0)
