"""A chain: the operators of a unit in one kernel, a tile of pixels and a slice of channels a block.

    for tile, slice in blocks:
        middle = relu(expand(source))                # shared memory, with a halo of pixels
        windowed = depthwise(middle)                 # shared memory
        result = relu(project(windowed) + residual)  # to the target, and to shared memory
        after = relu(follow(result))                 # the first 1x1 of the next unit
        mean = sum of result over the image          # instead of the target

Every step may be missing. A slice is a group of the projection, or several: it needs of all that
comes before just the channels that its groups read, so slices repeat nothing. What repeats work is
the halo, and `parts`, which cut a group's outputs where a small map makes too few blocks.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from schedules.cuda.order import Order
from schedules.cuda.patch import KERNEL
from schedules.cuda.product import Product
from schedules.cuda.vectors import lanes_of, padded, width
from schedules.cuda.window import Window
from schedules.frame import Frame, Planes

COLOURS = 3
PRODUCTS = ("expand", "project", "follow")


@dataclass(frozen=True)
class Chain:
    """The steps of a kernel and the tensors between which it runs.

    `source` are images or a tensor whose slices lie one behind the other; `middle` is the frame of
    what `expand` makes. Results go to the channels of `target` from `offset` on, or in `order` if
    there is one, or if `mean` holds only their mean over each image is stored. Those of `follow` go
    to a tensor of `after` channels, in `order`. `pooled` is the frame of the tensor whose average
    pool goes to the channels of `target` from `pool_offset` on; `follow` reads these too. `gather`
    is the number of groups of a shuffle that `project` reads through without an order. `aliases`
    are the inputs that are the same tensor as the data.
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
    mean: bool = False
    aliases: tuple[str, ...] = ()

    @cached_property
    def dtype(self) -> str:
        """The type of weights and of what the steps hand on; images and results of a network are of
        their own."""
        return self.source.dtype if isinstance(self.source, Frame) else self.target.dtype

    @cached_property
    def lanes(self) -> int:
        """Values of a 128-bit access."""
        return lanes_of(self.dtype)

    @cached_property
    def patch(self) -> int:
        """The values under a first convolution's window, up to whole accesses."""
        return patch_values(self.dtype)

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The products that it has."""
        return tuple(one for one in (self.expand, self.project, self.follow) if one)

    @cached_property
    def matrices(self) -> bool:
        """Whether its products run on tensor cores."""
        return any(one.matrices for one in self.products)

    @cached_property
    def groups(self) -> int:
        """Groups of the projection, which blocks divide among themselves."""
        return self.project.groups if self.project else 1

    @cached_property
    def windowed(self) -> int:
        """Channels of one group under the window."""
        if self.project:
            return self.project.inputs
        if self.expand:
            return self.expand.vectors * self.lanes
        return self.source.channels if isinstance(self.source, Frame) else 0

    @cached_property
    def vectors(self) -> int:
        """What `parts` divide: the vectors of channels that one group makes."""
        if self.project:
            return self.project.vectors
        return self.windowed // self.window_lanes

    @cached_property
    def window_lanes(self) -> int:
        """Values of one access of the window."""
        if self.expand:
            return self.lanes
        channels = self.source.channels if isinstance(self.source, Frame) else 0
        return width(self.dtype, self.windowed, channels, self.offset, self.target.channels)

    @cached_property
    def staged(self) -> bool:
        """Whether the order scatters what one thread makes, or has places without a channel: then
        results go through shared memory."""
        order = self.order
        return order is not None and (order.shuffle > 1 or order.slice > order.inputs)

    @cached_property
    def narrow(self) -> bool:
        """Whether the projection makes an odd number of channels a group: then neighbouring threads
        have no neighbouring values for the target, and results go through shared memory too."""
        if self.project is None or self.mean or (self.order and not self.follow):
            return False
        return self.store_lanes(self.project, "out") == 1

    def store_lanes(self, product: Product, role: str) -> int:
        """Values of one access when a product's results go straight to the tensor of a role."""
        order = self.order if role == "after" or not self.follow else None
        dtype = self.dtype if role == "after" else self.target.dtype
        if order is None:
            return width(dtype, product.outputs, self.offset, self.target.channels)
        return width(dtype, product.outputs, order.inputs)

    @property
    def macs(self) -> int:
        """Multiply-adds of the operators, without what a halo repeats."""
        count = self.product_macs
        if self.window and self.window.kind == "depthwise":
            count += self.target.pixels * self.groups * self.windowed * KERNEL * KERNEL
        return count

    @property
    def product_macs(self) -> int:
        """Those of its products."""
        count = self.middle.pixels * self.expand.macs if self.expand and self.middle else 0
        products = [one for one in (self.project, self.follow) if one]
        return count + self.target.pixels * sum(one.macs for one in products)


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest: `rows` x `columns` pixels a block (one row is a line of pixels that
    may cross images), `parts` of each group's outputs, `pixels` a thread, or a warp on tensor
    cores, `splits` of the reductions, `threads`, `groups` of the projection a block, and the `run`
    of neighbours in a row whose windows a thread has."""

    rows: int
    columns: int
    parts: int
    pixels: int
    splits: int
    threads: int
    groups: int = 1
    run: int = 1

    @property
    def count(self) -> int:
        """Pixels of a block."""
        return self.rows * self.columns


def slices(chain: Chain, tile: Tile) -> int:
    """Into how many slices blocks divide the channels of a tile of pixels."""
    return chain.groups // tile.groups


def patch_values(dtype: str) -> int:
    """The values under a first convolution's window of three planes, up to whole accesses."""
    return padded(COLOURS * KERNEL * KERNEL, dtype)


def first_product(chain: Chain) -> Product:
    """The product that reads what the chain does."""
    return chain.products[0]


def step(chain: Chain) -> int:
    """Values of one access to the data of the first product of a chain."""
    product = chain.expand or chain.project
    if product is None or isinstance(chain.source, Planes):
        return chain.lanes
    if product is chain.project and chain.window:
        return chain.lanes
    if chain.gather > 1:
        return 1
    return width(chain.dtype, product.inputs, chain.source.channels)


def on_matrices(chain: Chain) -> Chain:
    """The same with all products on tensor cores."""
    products = {name: getattr(chain, name) for name in PRODUCTS}
    return replace(
        chain, **{name: replace(one, matrices=True) for name, one in products.items() if one}
    )
