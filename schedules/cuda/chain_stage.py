"""Results that go through shared memory on their way to a tensor.

A shuffle scatters what a thread makes. A block that has all groups of a pixel lays them out in
shared memory as they lie in the tensor, and stores whole rows of it. One that has some of the
groups stores the runs of each, where these are long enough to fill most of what they touch; so do
groups of an odd number of channels, which no access of several values fits.
"""

from dataclasses import dataclass
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import when_all
from schedules.cuda.chain import slices
from schedules.cuda.extent import staged_places
from schedules.cuda.loops import serial, unrolled, vector
from schedules.cuda.order import Order
from schedules.cuda.product import Product, Share, Spot
from schedules.cuda.shared_rows import SharedRows, padded_rows
from schedules.cuda.site import Site
from schedules.cuda.vectors import buffer, widened
from schedules.program import zero


@dataclass(frozen=True)
class Stage:
    """Shared memory [pixel, place] between a block's share of a product and the tensor of a
    role."""

    site: Site
    product: Product
    share: Share
    role: str
    order: Order | None
    rows: SharedRows

    @property
    def whole(self) -> bool:
        """Whether a block has all channels of a pixel in another order."""
        return self.order is not None and slices(self.site.chain, self.site.tile) == 1

    def keep(self, spot: Spot, sums: Any) -> None:
        """A vector of results."""
        lanes, outputs = self.product.lanes, self.product.outputs
        if not self.whole:
            self.rows.keep(lanes, sums.__getitem__, spot.pixel, spot.column * lanes)
            return
        first = spot.vector * lanes
        with unrolled(lanes, "lane") as lane:
            known = [first + lane < outputs] if outputs % lanes else []
            with when_all(known):
                place = self._place(spot.group * outputs + first + lane)
                value = T.cast(sums[lane], self.product.dtype)
                self.rows.store(value, spot.pixel, place)

    def unload(self) -> None:
        """All that was kept, to the tensor: neighbouring threads store neighbouring values."""
        if self.order is not None and self.whole:
            self._unload_rows(self.order)
        else:
            self._unload_runs()

    def _place(self, channel: Any) -> Any:
        return self.order.place(channel) if self.order else self.site.chain.offset + channel

    def _unload_rows(self, order: Order) -> None:
        site, lanes = self.site, self.product.lanes
        vectors = order.places // lanes
        if order.slice > order.inputs:
            self._clear(order)
        with site.block.items(site.tile.count * vectors) as item:
            pixel, first = item // vectors, item % vectors * lanes
            where = site.pixel(pixel)
            with when_all(where.inside), vector(lanes) as lane:
                value = self.rows.value(pixel, first + lane)
                T.buffer_store(site.tensors[self.role], value, [where.number, first + lane])

    def _clear(self, order: Order) -> None:
        """Zeros in the places that hold no channel."""
        empty = order.slice - order.inputs
        with self.site.block.items(self.site.tile.count * order.consumers * empty) as item:
            consumer = item // empty % order.consumers
            place = consumer * order.slice + order.inputs + item % empty
            self.rows.store(zero(self.product.dtype), item // (empty * order.consumers), place)

    def _unload_runs(self) -> None:
        site, product, share = self.site, self.product, self.share
        lanes, out = product.lanes, site.tensors[self.role]
        each = share.vectors * lanes if share.vectors < product.vectors else product.outputs
        across = share.groups * each
        with site.block.items(site.tile.count * across) as item:
            where, column = site.pixel(item // across), item % across
            output = share.start * lanes + column % each
            group = share.first + column // each if share.groups > 1 else share.first
            cut = product.outputs % lanes and share.vectors < product.vectors
            known = [*where.inside, output < product.outputs] if cut else where.inside
            kept = column // each * share.vectors * lanes + column % each
            with when_all(known):
                place = self._place(group * product.outputs + output)
                value = T.cast(self.rows.value(item // across, kept), str(out.dtype))
                T.buffer_store(out, value, [where.number, place])


def stage(site: Site, product: Product, share: Share, role: str) -> Stage:
    """The shared memory for the results of a product on their way to the tensor of a role."""
    chain = site.chain
    order = chain.order if role == "after" or not chain.follow else None
    places = share.columns * product.lanes
    if order is not None:
        places = staged_places(chain, site.tile, share.columns)
    rows = padded_rows(f"staged_{role}", product, site.tile.count, places)
    return Stage(site, product, share, role, order, rows)


def unload_mean(site: Site, product: Product, share: Share, rows: SharedRows) -> None:
    """The mean over the pixels of the block, which are those of an image, of results that were
    kept by column."""
    lanes, total, out = product.lanes, buffer("mean_sum", (1,), "local"), site.tensors["out"]
    with site.block.items(share.columns * lanes) as item:
        T.buffer_store(total, zero(), [0])
        with serial(site.tile.count, "pixel") as pixel:
            T.buffer_store(total, total[0] + widened(rows.value(pixel, item)), [0])
        column, lane = item // lanes, item % lanes
        group = share.first + (column // share.vectors if share.groups > 1 else 0)
        output = (share.start + column % share.vectors) * lanes + lane
        with when_all([output < product.outputs] if product.outputs % lanes else []):
            mean = T.cast(total[0] * T.float32(1 / site.tile.count), str(out.dtype))
            T.buffer_store(out, mean, [site.pixel(0).image, group * product.outputs + output])
