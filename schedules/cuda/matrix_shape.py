"""What a warp takes of a product on tensor cores: pixels, vectors of channels, and a split of the
reduction.

What is scarce is registers: a thread holds four sums of every 16 pixels and vector of the warp.
"""

from dataclasses import dataclass
from math import ceil

from schedules.cuda.fragments import ROWS, STEPS, steps_of
from schedules.cuda.product import Product, largest_divisor

# Input channels that are staged at once.
CHUNK = 128
# Sums of a thread, and vectors of a warp: with data and weights they fit 128 registers.
MOST_SUMS = 48
MOST_VECTORS = 8


@dataclass(frozen=True)
class Shape:
    """What warps take at once: `pixels` in `rounds`, `vectors` in `blocks`, `splits` of the
    reduction."""

    pixels: int
    rounds: int
    vectors: int
    blocks: int
    splits: int

    @property
    def items(self) -> int:
        """What is dealt out for each group."""
        return self.splits * self.rounds * self.blocks


def shape_of(product: Product, count: int, tile: tuple[int, int, int, int], whole: bool) -> Shape:
    """The shape for `count` pixels and a tile of (pixels, splits, vectors of a group, warps for
    it); `whole` says whether the data lies in shared memory as a whole, which splits need.

    A warp takes as many vectors as its registers hold, or fewer if warps would have nothing to do.
    """
    pixels, splits, vectors, warps = tile
    steps = steps_of(product.inputs)
    splits = largest_divisor(steps // STEPS, splits) if whole and steps % STEPS == 0 else 1
    rounds = ceil(count / pixels)
    most = min(MOST_VECTORS, MOST_SUMS // (pixels // ROWS * 4), vectors)
    blocks = min(max(ceil(vectors / most), ceil(warps / (splits * rounds))), vectors)
    each = ceil(vectors / blocks)
    return Shape(pixels, rounds, each, ceil(vectors / each), splits)


def staged_whole(product: Product) -> bool:
    """Whether data that comes from memory is staged at once."""
    return product.inputs <= CHUNK
