"""A chain: the operators of a unit in one kernel, a tile of pixels and a slice of channels a block.

    for tile, slice in blocks:
        middle = relu(expand(source))                # shared memory, with a halo of pixels
        windowed = depthwise(middle)                 # shared memory
        result = relu(project(windowed) + residual)  # to the target, and to shared memory
        after = relu(follow(result))                 # the first 1x1 of the next unit

Every step may be missing. A slice is a group of the projection: it needs of all that comes before
just the channels that its group reads, so slices repeat nothing. What repeats work is the halo, and
`parts`, which cut a group's outputs where a small map makes too few blocks.
"""

from dataclasses import dataclass

from schedules.cuda.block import LANES, width
from schedules.cuda.order import Order
from schedules.cuda.patch import KERNEL, Halo, Line, Square
from schedules.cuda.product import Product, largest_divisor
from schedules.cuda.window import Window
from schedules.frame import Frame, Planes

FLOAT_BYTES = 4
# The values under a first convolution's window of three planes, up to a multiple of four.
PATCH = 28


@dataclass(frozen=True)
class Chain:
    """The steps of a kernel and the tensors between which it runs.

    `source` are images or a tensor whose slices lie one behind the other; `middle` is the frame of
    what `expand` makes. Results go to the channels of `target` from `offset` on, or in `order` if
    there is one; those of `follow` to a tensor of `after` channels, in `order`. `pooled` is the
    frame of the tensor whose average pool goes to the channels of `target` from `pool_offset` on.
    `gather` is the number of groups of a shuffle that `project` reads through without an order.
    """

    source: Frame | Planes
    target: Frame
    expand: Product | None = None
    middle: Frame | None = None
    window: Window | None = None
    project: Product | None = None
    follow: Product | None = None
    after: int = 0
    order: Order | None = None
    residual: bool = False
    offset: int = 0
    stride: int = 1
    pooled: Frame | None = None
    pool: Window | None = None
    pool_offset: int = 0
    gather: int = 1

    @property
    def slices(self) -> int:
        """Groups of the projection, which blocks divide among themselves."""
        return self.project.groups if self.project else 1

    @property
    def windowed(self) -> int:
        """Channels of one slice under the window."""
        if self.project:
            return self.project.inputs
        if self.expand:
            return self.expand.vectors * LANES
        return self.source.channels if isinstance(self.source, Frame) else 0

    @property
    def vectors(self) -> int:
        """What `parts` divide: the vectors of channels that one slice makes."""
        if self.project:
            return self.project.vectors
        return self.windowed // self.window_lanes

    @property
    def window_lanes(self) -> int:
        """Values of one access of the window."""
        if self.expand:
            return LANES
        channels = self.source.channels if isinstance(self.source, Frame) else 0
        return width(self.windowed, channels, self.offset, self.target.channels)

    def store_lanes(self, product: Product, role: str) -> int:
        """Values of one access when a product's results go to the tensor of a role; 1 where the
        shuffle, or a number of outputs that is odd, scatters neighbours."""
        order = self.order if role == "after" or not self.follow else None
        if order is None:
            return width(product.outputs, self.offset, self.target.channels)
        return width(product.outputs, order.inputs) if order.shuffle == 1 else 1

    @property
    def macs(self) -> int:
        """Multiply-adds of the operators, without what a halo repeats."""
        pixels, count = self.target.pixels, 0
        if self.expand and self.middle:
            made = self.expand.groups * self.expand.outputs * self.expand.inputs
            count += self.middle.pixels * made
        if self.window and self.window.kind == "depthwise":
            count += pixels * self.slices * self.windowed * KERNEL * KERNEL
        for product in (self.project, self.follow):
            if product:
                count += pixels * product.groups * product.outputs * product.inputs
        return count


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest: `rows` x `columns` pixels a block (one row is a line of pixels that
    may cross images), `parts` of each slice's outputs, `pixels` a thread, `splits` of the
    reductions, `threads`."""

    rows: int
    columns: int
    parts: int
    pixels: int
    splits: int
    threads: int

    @property
    def count(self) -> int:
        """Pixels of a block."""
        return self.rows * self.columns


def patch_of(chain: Chain, tile: Tile) -> Line | Square:
    """The pixels of a block: a square where a window reads what the block itself has made."""
    if chain.expand:
        return Square(chain.target, tile.rows, tile.columns)
    return Line(chain.target, tile.count)


def halo_of(chain: Chain, tile: Tile) -> Halo | None:
    """The pixels that the block computes for its window to read."""
    if not chain.expand or not chain.middle or not chain.window:
        return None
    return Square(chain.target, tile.rows, tile.columns).halo(chain.middle, chain.window.stride)


def row_bytes(values: int) -> int:
    """A pixel's row in shared memory; four more values keep rows off each other's banks."""
    return (values + LANES) * FLOAT_BYTES


def shared_bytes(chain: Chain, tile: Tile) -> int:
    """Shared memory of a block."""
    halo, count = halo_of(chain, tile), tile.count
    total = 0
    if isinstance(chain.source, Planes):
        total += (halo.count if halo else count) * row_bytes(PATCH)
    if chain.expand and halo:
        columns = chain.expand.groups // chain.slices * chain.expand.vectors
        total += halo.count * row_bytes(columns * LANES)
        total += parts_bytes(chain.expand, halo.count, columns, tile, step(chain))
    if chain.project:
        total += count * row_bytes(chain.windowed) if chain.window else 0
        columns = chain.project.vectors // tile.parts
        total += parts_bytes(chain.project, count, columns, tile, step(chain))
        if not chain.follow and chain.store_lanes(chain.project, "out") == 1:
            total += count * row_bytes(columns * LANES)
    if chain.follow and chain.project:
        total += count * row_bytes(chain.project.vectors * LANES)
        if chain.store_lanes(chain.follow, "after") == 1:
            total += count * row_bytes(chain.follow.vectors * LANES)
        total += parts_bytes(chain.follow, count, chain.follow.vectors, tile, LANES)
    return total


def step(chain: Chain) -> int:
    """Values of one access to the data of the first product of a chain."""
    product = chain.expand or chain.project
    if product is None or isinstance(chain.source, Planes):
        return LANES
    if product is chain.project and chain.window:
        return LANES
    if chain.gather > 1:
        return 1
    return width(product.inputs, chain.source.channels)


def parts_bytes(product: Product, count: int, columns: int, tile: Tile, access: int) -> int:
    """Shared memory in which the splits of a reduction are added up."""
    splits = largest_divisor(product.inputs // access, tile.splits)
    pixels = min(tile.pixels, count)
    rows = -(-count // pixels) * pixels
    return splits * rows * columns * LANES * FLOAT_BYTES if splits > 1 else 0
