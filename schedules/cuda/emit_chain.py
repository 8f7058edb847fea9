"""Writing the kernel of a chain. See `chain.py` for its nest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tvm.script.ir_builder import tirx as T
from tvm.tirx import PrimFunc

from schedules.cuda.block import LANES, Block, buffer, grid, select, vector, when, when_all, width
from schedules.cuda.chain import PATCH, Chain, Tile, halo_of, patch_of, step
from schedules.cuda.patch import KERNEL, Halo, Line, Square
from schedules.cuda.product import (
    Job,
    Product,
    Rows,
    Share,
    Span,
    Spot,
    emit_product,
    finish,
    store_global,
)
from schedules.cuda.window import Strip, Tap, Window, emit_window, global_tap
from schedules.frame import Frame, Planes
from schedules.program import Tensors, prim_func, tensor, zero

Patch = Line | Square


def tensor_shape(frame: Frame | Planes) -> tuple[int, ...]:
    """Images as they are handed in; activations as [pixels, channels]."""
    return frame.shape if isinstance(frame, Planes) else (frame.pixels, frame.channels)


def inputs(chain: Chain) -> dict[str, tuple[int, ...]]:
    """The activations that a chain reads, by role."""
    shapes = {"data": tensor_shape(chain.source)}
    if chain.residual:
        shapes["residual"] = tensor_shape(chain.target)
    if chain.pooled:
        shapes["pooled"] = tensor_shape(chain.pooled)
    return shapes


def constants(chain: Chain) -> dict[str, tuple[int, ...]]:
    """The packed constants of a chain, by step and role."""
    steps = {"expand": chain.expand, "project": chain.project, "follow": chain.follow}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, product in steps.items():
        if product:
            shapes |= {f"{name}_{role}": shape for role, shape in product.weight_shapes.items()}
    if chain.window:
        places = chain.slices * chain.windowed
        made = chain.window.constants(places)
        shapes |= {f"window_{role}": shape for role, shape in made.items()}
    return shapes


def outputs(chain: Chain) -> dict[str, tuple[int, ...]]:
    """The activations that a chain writes, by role."""
    own = chain.order.places if chain.order and not chain.follow else chain.target.channels
    shapes: dict[str, tuple[int, ...]] = {"out": (chain.target.pixels, own)}
    if chain.follow:
        shapes["after"] = (chain.target.pixels, chain.after)
    return shapes


def program(chain: Chain, tile: Tile) -> PrimFunc:
    """The kernel of a chain: inputs, constants, outputs, in the order of the above."""
    with prim_func("main") as builder:
        shapes = {**inputs(chain), **constants(chain), **outputs(chain)}
        tensors = {name: tensor(name, shape) for name, shape in shapes.items()}
        patch = patch_of(chain, tile)
        with grid(patch.tiles, chain.slices * tile.parts, tile.threads) as block:
            _Writer(chain, tile, block, patch, tensors).write()
    return builder.get()


@dataclass(frozen=True)
class _Writer:
    """The steps of one chain in the order in which a block runs them."""

    chain: Chain
    tile: Tile
    block: Block
    patch: Patch
    tensors: Tensors

    @property
    def slice(self) -> Any:
        """The group of the projection."""
        return self.block.slice // self.tile.parts if self.tile.parts > 1 else self.block.slice

    @property
    def part(self) -> Any:
        """The part of the group's outputs."""
        return self.block.slice % self.tile.parts if self.tile.parts > 1 else 0

    def write(self) -> None:
        """All steps that the chain has."""
        chain, count = self.chain, self.tile.count
        if chain.pooled:
            self._pool(chain.pooled)
        halo = halo_of(chain, self.tile)
        middle = self._expand(chain.expand, halo) if chain.expand and halo else None
        if chain.window and not chain.project:
            self._window_to_target(halo, middle)
            return
        rows = self._windowed(halo, middle) if chain.window else self._rows(self.patch, count)
        result = self._project(rows)
        if chain.follow and result is not None:
            self._follow(chain.follow, result)
        if chain.order and chain.order.slice > chain.order.inputs:
            self._clear(chain.order)

    def role(self, name: str) -> dict[str, Any]:
        """The constants of a step."""
        prefix = f"{name}_"
        found = {key: self.tensors[key] for key in self.tensors if key.startswith(prefix)}
        return {key.removeprefix(prefix): value for key, value in found.items()}

    def pixel(self, index: Any) -> Any:
        """A pixel of the block."""
        return self.patch.pixel(self.block.tile, index)

    def _rows(self, where: Patch | Halo, count: int) -> Rows:
        """The data of the first product, from memory; an image's by way of shared memory."""
        chain, data = self.chain, self.tensors["data"]
        if isinstance(chain.source, Planes):
            return self._patches(chain.source, where, count)
        product = chain.expand or chain.project
        assert product is not None
        tile = self.block.tile

        def load(pixel: Any, group: Any, k: Any) -> Any:
            channel = product.source(group) * product.inputs + k
            if chain.gather > 1:
                each = product.groups * product.inputs // chain.gather
                channel = channel % chain.gather * each + channel // chain.gather
            return data[where.pixel(tile, pixel).number, channel]

        return Rows(load, step(chain))

    def _patches(self, images: Planes, where: Patch | Halo, count: int) -> Rows:
        """The values under the first convolution's window of every pixel, as rows."""
        rows, stride = buffer("patches", (count, PATCH + LANES), "shared"), self.chain.stride
        with self.block.items(count * PATCH) as item:
            pixel, k = where.pixel(self.block.tile, item // PATCH), item % PATCH
            plane, tap = k // (KERNEL * KERNEL), k % (KERNEL * KERNEL)
            row = pixel.row * stride - 1 + tap // KERNEL
            column = pixel.column * stride - 1 + tap % KERNEL
            inside = [row >= 0, row < images.height, column >= 0, column < images.width]
            inside.append(plane < images.planes)
            value = select(inside, self.tensors["data"][pixel.image, plane, row, column])
            T.buffer_store(rows, value, [item // PATCH, k])
        return _shared_rows(rows)

    def _expand(self, product: Product, halo: Halo) -> Any:
        """The product on the halo, zero off the image, in shared memory."""
        groups = product.groups // self.chain.slices
        share = Share(
            self.slice * groups, groups, 0, product.vectors, self.tile.pixels, self.tile.splits
        )
        middle = buffer("middle", (halo.count, (share.columns + 1) * LANES), "shared")
        weights = self.role("expand")

        def store(spot: Spot, sums: Any) -> None:
            finish(product, spot, sums, weights["bias"])
            inside = halo.pixel(self.block.tile, spot.pixel).inside
            with vector(LANES) as lane:
                value = select(inside, sums[lane])
                T.buffer_store(middle, value, [spot.pixel, spot.column * LANES + lane])

        rows = self._rows(halo, halo.count)
        emit_product(Job("expand", self.block, product, share, halo.count, weights), rows, store)
        return middle

    def _strip(self, window: Window, first: Any, places: int, lanes: int) -> Strip:
        """All pixels of the block under the chain's window."""
        weights, count = self.role("window"), self.tile.count
        return Strip("window", self.block, window, weights, count, first, places, lanes)

    def _taps(self, halo: Halo | None, middle: Any) -> Callable[[Any], Tap]:
        """What lies under the window of a pixel of the block."""
        chain, window = self.chain, self.chain.window
        assert window is not None
        if halo is None:
            assert isinstance(chain.source, Frame)
            source, data, stride = chain.source, self.tensors["data"], window.stride
            return lambda pixel: global_tap(data, source, stride, self.pixel(pixel))
        # In shared memory a slice begins at channel 0.
        first = self.slice * chain.windowed

        def taps(pixel: Any) -> Tap:
            return lambda down, across, start, lane: middle[
                halo.index(pixel, down, across), start - first + lane
            ]

        return taps

    def _windowed(self, halo: Halo | None, middle: Any) -> Rows:
        """The window's result in shared memory, as the rows of the projection."""
        chain, count = self.chain, self.tile.count
        assert chain.window is not None
        rows = buffer("windowed", (count, chain.windowed + LANES), "shared")
        strip = self._strip(chain.window, self.slice * chain.windowed, chain.windowed, LANES)

        def store(pixel: Any, place: Any, sums: Any) -> None:
            with vector(LANES) as lane:
                T.buffer_store(rows, sums[lane], [pixel, place + lane])

        emit_window(strip, self._taps(halo, middle), store)
        return _shared_rows(rows)

    def _window_to_target(self, halo: Halo | None, middle: Any) -> None:
        """A window that is the last step; parts divide its channels."""
        chain, lanes = self.chain, self.chain.window_lanes
        assert chain.window is not None
        places = chain.vectors // self.tile.parts * lanes
        strip = self._strip(chain.window, self.part * places, places, lanes)
        stored = min(lanes, width(chain.offset, chain.target.channels))

        def store(pixel: Any, place: Any, sums: Any) -> None:
            where = self.pixel(pixel)
            first = self.part * places + place
            limit = chain.target.channels - chain.offset
            for start in range(0, lanes, stored):
                known = [*where.inside]
                if chain.windowed > limit:
                    known.append(first + start < limit)
                with when_all(known), vector(stored) as lane:
                    at = [where.number, chain.offset + first + start + lane]
                    T.buffer_store(self.tensors["out"], sums[start + lane], at)

        emit_window(strip, self._taps(halo, middle), store)

    def _project(self, rows: Rows) -> Any:
        """The projection to the target; also to shared memory if another product follows."""
        chain, product, tile = self.chain, self.chain.project, self.tile
        assert product is not None
        vectors = product.vectors // tile.parts
        share = Share(self.slice, 1, self.part * vectors, vectors, tile.pixels, tile.splits)
        kept = None
        if chain.follow:
            kept = buffer("result", (tile.count, (vectors + 1) * LANES), "shared")
        order = None if chain.follow else chain.order
        weights = self.role("project")

        def store(spot: Spot, sums: Any) -> None:
            residual = self._residual(spot, product) if chain.residual else None
            finish(product, spot, sums, weights["bias"], residual)
            if kept is not None:
                with vector(LANES) as lane:
                    T.buffer_store(kept, sums[lane], [spot.pixel, spot.column * LANES + lane])
            self._store(product, spot, sums, self.tensors["out"], order)

        emit_product(Job("project", self.block, product, share, tile.count, weights), rows, store)
        return kept

    def _residual(self, spot: Spot, product: Product) -> Callable[[Any], Any]:
        number = self.pixel(spot.pixel).number
        first = spot.group * product.outputs + spot.vector * LANES

        def value(lane: Any) -> Any:
            channel = first + lane
            if product.outputs % LANES:
                # A vector past the last group's end adds what is not stored.
                channel = T.min(channel, self.chain.target.channels - 1)
            return self.tensors["residual"][number, channel]

        return value

    def _follow(self, product: Product, result: Any) -> None:
        """The first product of the next unit on the result of this one."""
        tile, weights = self.tile, self.role("follow")
        share = Share(self.slice, 1, 0, product.vectors, tile.pixels, tile.splits)

        def store(spot: Spot, sums: Any) -> None:
            finish(product, spot, sums, weights["bias"])
            self._store(product, spot, sums, self.tensors["after"], self.chain.order)

        rows = _shared_rows(result)
        emit_product(Job("follow", self.block, product, share, tile.count, weights), rows, store)

    def _store(self, product: Product, spot: Spot, sums: Any, out: Any, order: Any) -> None:
        """A vector of results to memory, as wide as its alignment allows."""
        where = self.pixel(spot.pixel)
        first = spot.vector * LANES
        channel = spot.group * product.outputs + first
        if order is None:
            lanes = width(product.outputs, self.chain.offset, int(out.shape[1]))
        else:
            lanes = width(product.outputs, order.inputs) if order.shuffle == 1 else 1

        def write(value: Any, start: int, lane: Any) -> None:
            # The places of one access are neighbours.
            begin = channel + start
            place = order.place(begin) if order else self.chain.offset + begin
            T.buffer_store(out, value, [where.number, place + lane])

        store_global(sums, Span(product.outputs, first, lanes), where.inside, write)

    def _clear(self, order: Any) -> None:
        """Zeros in the places of an order that hold no channel."""
        out = self.tensors["after" if self.chain.follow else "out"]
        empty = order.slice - order.inputs
        with (
            when(self.block.slice == 0),
            self.block.items(self.tile.count * order.consumers * empty) as item,
        ):
            where = self.pixel(item // (order.consumers * empty))
            consumer = item // empty % order.consumers
            place = consumer * order.slice + order.inputs + item % empty
            with when_all(where.inside):
                T.buffer_store(out, zero(), [where.number, place])

    def _pool(self, pooled: Frame) -> None:
        """The average pool of the shortcut; slices and parts divide its channels."""
        chain = self.chain
        assert chain.pool is not None
        lanes = width(pooled.channels, chain.pool_offset, chain.target.channels)
        slices = chain.slices * self.tile.parts
        each = -(-pooled.channels // (lanes * slices)) * lanes
        strip = Strip(
            "pool",
            self.block,
            chain.pool,
            {},
            self.tile.count,
            self.block.slice * each,
            each,
            lanes,
        )
        stride = chain.pool.stride

        def taps(pixel: Any) -> Tap:
            inner = global_tap(self.tensors["pooled"], pooled, stride, self.pixel(pixel))

            def tap(down: int, across: int, first: Any, lane: Any) -> Any:
                if each * slices > pooled.channels:
                    first = T.min(first, pooled.channels - lanes)
                return inner(down, across, first, lane)

            return tap

        def store(pixel: Any, place: Any, sums: Any) -> None:
            where, first = self.pixel(pixel), self.block.slice * each + place
            known = [*where.inside]
            if each * slices > pooled.channels:
                known.append(first < pooled.channels)
            with when_all(known), vector(lanes) as lane:
                at = [where.number, chain.pool_offset + first + lane]
                T.buffer_store(self.tensors["out"], sums[lane], at)

        emit_window(strip, taps, store)


def _shared_rows(rows: Any) -> Rows:
    return Rows(lambda pixel, group, k: rows[pixel, k], LANES)
