"""The products of a chain that write memory: the projection, and the first of the next unit."""

from collections.abc import Callable
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import LANES, buffer, vector, when, when_all
from schedules.cuda.chain_rows import shared_rows
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
from schedules.cuda.site import Site
from schedules.program import zero


def project(site: Site, rows: Rows) -> Any:
    """The projection to the target; also to shared memory if another product follows."""
    chain, product, tile = site.chain, site.chain.project, site.tile
    assert product is not None
    vectors = product.vectors // tile.parts
    share = Share(site.slice, 1, site.part * vectors, vectors, tile.pixels, tile.splits)
    scattered = chain.store_lanes(product, "out") == 1
    kept = _rows_of(share, tile.count, "result") if chain.follow or scattered else None
    weights = site.role("project")

    def store(spot: Spot, sums: Any) -> None:
        residual = _residual(site, spot, product) if chain.residual else None
        finish(product, spot, sums, weights["bias"], residual)
        if kept is not None:
            _keep(kept, spot, sums)
        if not scattered:
            _store(site, product, spot, sums, "out")

    emit_product(Job("project", site.block, product, share, tile.count, weights), rows, store)
    if scattered:
        _unload(site, product, share, kept, "out")
    return kept


def follow(site: Site, product: Product, result: Any) -> None:
    """The first product of the next unit on the result of this one."""
    tile, weights = site.tile, site.role("follow")
    share = Share(site.slice, 1, 0, product.vectors, tile.pixels, tile.splits)
    scattered = site.chain.store_lanes(product, "after") == 1
    kept = _rows_of(share, tile.count, "followed") if scattered else None

    def store(spot: Spot, sums: Any) -> None:
        finish(product, spot, sums, weights["bias"])
        if kept is not None:
            _keep(kept, spot, sums)
        else:
            _store(site, product, spot, sums, "after")

    rows = shared_rows(result)
    emit_product(Job("follow", site.block, product, share, tile.count, weights), rows, store)
    if kept is not None:
        _unload(site, product, share, kept, "after")


def _rows_of(share: Share, count: int, name: str) -> Any:
    """Shared memory for the results of a product, a row a pixel."""
    return buffer(name, (count, (share.vectors + 1) * LANES), "shared")


def _keep(kept: Any, spot: Spot, sums: Any) -> None:
    with vector(LANES) as lane:
        T.buffer_store(kept, sums[lane], [spot.pixel, spot.column * LANES + lane])


def _unload(site: Site, product: Product, share: Share, kept: Any, role: str) -> None:
    """Results from shared memory to the tensor of a role, neighbouring threads on neighbouring
    channels: as near to each other as the shuffle leaves them."""
    out, order = site.tensors[role], _order(site, role)
    across = product.outputs if share.vectors == product.vectors else share.vectors * LANES
    with site.block.items(site.tile.count * across) as item:
        where = site.pixel(item // across)
        output = share.start * LANES + item % across
        channel = share.first * product.outputs + output
        place = order.place(channel) if order else site.chain.offset + channel
        whole = share.vectors == product.vectors or product.outputs % LANES == 0
        known = [*where.inside] if whole else [*where.inside, output < product.outputs]
        with when_all(known):
            T.buffer_store(out, kept[item // across, item % across], [where.number, place])


def _order(site: Site, role: str) -> Any:
    """The order in which the channels of a tensor lie, if it is another than their own."""
    return site.chain.order if role == "after" or not site.chain.follow else None


def clear(site: Site, order: Any) -> None:
    """Zeros in the places of an order that hold no channel."""
    out = site.tensors["after" if site.chain.follow else "out"]
    empty = order.slice - order.inputs
    with (
        when(site.block.slice == 0),
        site.block.items(site.tile.count * order.consumers * empty) as item,
    ):
        where = site.pixel(item // (order.consumers * empty))
        consumer = item // empty % order.consumers
        place = consumer * order.slice + order.inputs + item % empty
        with when_all(where.inside):
            T.buffer_store(out, zero(), [where.number, place])


def _residual(site: Site, spot: Spot, product: Product) -> Callable[[Any], Any]:
    number = site.pixel(spot.pixel).number
    first = spot.group * product.outputs + spot.vector * LANES

    def value(lane: Any) -> Any:
        channel = first + lane
        if product.outputs % LANES:
            # A vector past the last group's end adds what is not stored.
            channel = T.min(channel, site.chain.target.channels - 1)
        return site.tensors["residual"][number, channel]

    return value


def _store(site: Site, product: Product, spot: Spot, sums: Any, role: str) -> None:
    """A vector of results to the tensor of a role, as wide as its alignment allows."""
    out, order = site.tensors[role], _order(site, role)
    where = site.pixel(spot.pixel)
    first = spot.vector * LANES
    channel = spot.group * product.outputs + first
    lanes = site.chain.store_lanes(product, role)

    def write(value: Any, start: int, lane: Any) -> None:
        # The places of one access are neighbours.
        begin = channel + start
        place = order.place(begin) if order else site.chain.offset + begin
        T.buffer_store(out, value, [where.number, place + lane])

    store_global(sums, Span(product.outputs, first, lanes), where.inside, write)
