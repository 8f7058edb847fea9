"""Results that go through shared memory on their way to a tensor.

A shuffle scatters what a thread makes. A block that has all groups of a pixel lays them out in
shared memory as they lie in the tensor, and stores whole rows of it. One that has some of the
groups stores the runs of each, where these are long enough to fill most of what they touch; so do
groups of an odd number of channels, which no access of several values fits.
"""

from dataclasses import dataclass
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import LANES, buffer, select, serial, unrolled, vector, when_all
from schedules.cuda.chain import slices
from schedules.cuda.order import Order
from schedules.cuda.product import Product, Share, Spot
from schedules.cuda.shared import staged_places
from schedules.cuda.site import Site
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
    rows: Any

    @property
    def whole(self) -> bool:
        """Whether a block has all channels of a pixel in another order."""
        return self.order is not None and slices(self.site.chain, self.site.tile) == 1

    def keep(self, spot: Spot, sums: Any) -> None:
        """A vector of results."""
        if not self.whole:
            keep_vector(self.rows, spot.pixel, spot.column * LANES, sums)
            return
        outputs, first = self.product.outputs, spot.vector * LANES
        with unrolled(LANES, "lane") as lane:
            known = [first + lane < outputs] if outputs % LANES else []
            with when_all(known):
                place = self._place(spot.group * outputs + first + lane)
                T.buffer_store(self.rows, sums[lane], [spot.pixel, place])

    def unload(self) -> None:
        """All that was kept, to the tensor: neighbouring threads store neighbouring values."""
        if self.order is not None and self.whole:
            self._unload_rows(self.order)
        else:
            self._unload_runs()

    def _place(self, channel: Any) -> Any:
        return self.order.place(channel) if self.order else self.site.chain.offset + channel

    def _unload_rows(self, order: Order) -> None:
        site, vectors = self.site, order.places // LANES
        with site.block.items(site.tile.count * vectors) as item:
            pixel, first = item // vectors, item % vectors * LANES
            where = site.pixel(pixel)
            with when_all(where.inside), vector(LANES) as lane:
                value = self.rows[pixel, first + lane]
                if order.slice > order.inputs:
                    value = select([(first + lane) % order.slice < order.inputs], value)
                T.buffer_store(site.tensors[self.role], value, [where.number, first + lane])

    def _unload_runs(self) -> None:
        site, product, share = self.site, self.product, self.share
        each = share.vectors * LANES if share.vectors < product.vectors else product.outputs
        across = share.groups * each
        with site.block.items(site.tile.count * across) as item:
            where, column = site.pixel(item // across), item % across
            output = share.start * LANES + column % each
            group = share.first + column // each if share.groups > 1 else share.first
            cut = product.outputs % LANES and share.vectors < product.vectors
            known = [*where.inside, output < product.outputs] if cut else where.inside
            kept = column // each * share.vectors * LANES + column % each
            with when_all(known):
                place = self._place(group * product.outputs + output)
                value = self.rows[item // across, kept]
                T.buffer_store(site.tensors[self.role], value, [where.number, place])


def stage(site: Site, product: Product, share: Share, role: str) -> Stage:
    """The shared memory for the results of a product on their way to the tensor of a role."""
    chain, places = site.chain, share.columns * LANES
    order = chain.order if role == "after" or not chain.follow else None
    if order is not None:
        places = staged_places(chain, site.tile, share.columns)
    rows = buffer(f"staged_{role}", (site.tile.count, places + LANES), "shared")
    return Stage(site, product, share, role, order, rows)


def keep_vector(rows: Any, pixel: Any, first: Any, sums: Any) -> None:
    """A vector of results, in shared memory from a place on."""
    with vector(LANES) as lane:
        T.buffer_store(rows, sums[lane], [pixel, first + lane])


def unload_mean(site: Site, product: Product, share: Share, rows: Any) -> None:
    """The mean over the pixels of the block, which are those of an image, of results that were
    kept by column."""
    places, total = share.columns * LANES, buffer("mean_sum", (1,), "local")
    with site.block.items(places) as item:
        T.buffer_store(total, zero(), [0])
        with serial(site.tile.count, "pixel") as pixel:
            T.buffer_store(total, total[0] + rows[pixel, item], [0])
        column, lane = item // LANES, item % LANES
        group = share.first + (column // share.vectors if share.groups > 1 else 0)
        output = (share.start + column % share.vectors) * LANES + lane
        with when_all([output < product.outputs] if product.outputs % LANES else []):
            mean = total[0] * T.float32(1 / site.tile.count)
            at = [site.pixel(0).image, group * product.outputs + output]
            T.buffer_store(site.tensors["out"], mean, at)
