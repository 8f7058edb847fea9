"""The products of a chain that write memory: the projection, and the first of the next unit."""

from collections.abc import Callable
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import LANES, buffer, width
from schedules.cuda.chain import slices
from schedules.cuda.chain_rows import shared_rows
from schedules.cuda.chain_stage import keep_vector, stage, unload_mean
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
from schedules.cuda.shared import result_places
from schedules.cuda.site import Site


def result_rows(site: Site) -> Any:
    """Shared memory for what the product after the projection reads, a row a pixel."""
    places = result_places(site.chain, site.tile)
    return buffer("result", (site.tile.count, places + LANES), "shared")


def project(site: Site, rows: Rows, result: Any) -> None:
    """The projection to the target, and to shared memory for a product that follows."""
    chain, product, tile = site.chain, site.chain.project, site.tile
    assert product is not None
    vectors = product.vectors // tile.parts
    share = Share(
        site.slice * tile.groups, tile.groups, site.part * vectors, vectors, tile.pixels,
        tile.splits,
    )  # fmt: skip
    through = chain.narrow or (chain.staged and not chain.follow)
    staged = stage(site, product, share, "out") if through else None
    kept = (
        buffer("kept", (tile.count, (share.columns + 1) * LANES), "shared") if chain.mean else None
    )
    weights = site.role("project")

    def store(spot: Spot, sums: Any) -> None:
        residual = _residual(site, spot, product) if chain.residual else None
        finish(product, spot, sums, weights["bias"], residual)
        if result is not None:
            _keep_result(site, product, spot, sums, result)
        if staged is not None:
            staged.keep(spot, sums)
        elif chain.mean:
            keep_vector(kept, spot.pixel, spot.column * LANES, sums)
        else:
            _store(site, product, spot, sums, "out")

    emit_product(Job("project", site.block, product, share, tile.count, weights), rows, store)
    if staged is not None:
        staged.unload()
    elif chain.mean:
        unload_mean(site, product, share, kept)


def follow(site: Site, product: Product, result: Any) -> None:
    """The first product of the next unit on the result of this one."""
    chain, tile, weights = site.chain, site.tile, site.role("follow")
    groups = product.groups // slices(chain, tile)
    share = Share(site.slice * groups, groups, 0, product.vectors, tile.pixels, tile.splits)
    staged = stage(site, product, share, "after") if chain.staged else None

    def store(spot: Spot, sums: Any) -> None:
        finish(product, spot, sums, weights["bias"])
        if staged is not None:
            staged.keep(spot, sums)
        else:
            _store(site, product, spot, sums, "after")

    rows = shared_rows(result, share.first, product.inputs if groups > 1 else 0)
    emit_product(Job("follow", site.block, product, share, tile.count, weights), rows, store)
    if staged is not None:
        staged.unload()


def _keep_result(site: Site, product: Product, spot: Spot, sums: Any, result: Any) -> None:
    """A vector of the result for the product that follows. Beside a pool's channels each has its
    own place, else each group is as wide as its vectors."""
    if not site.chain.pooled:
        keep_vector(result, spot.pixel, spot.column * LANES, sums)
        return
    first = spot.vector * LANES
    place = site.chain.offset + spot.group * product.outputs + first
    lanes = width(product.outputs, site.chain.offset)

    def write(value: Any, start: int, lane: Any) -> None:
        T.buffer_store(result, value, [spot.pixel, place + start + lane])

    store_global(sums, Span(product.outputs, first, lanes), (), write)


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
    chain, out = site.chain, site.tensors[role]
    order = chain.order if role == "after" or not chain.follow else None
    where = site.pixel(spot.pixel)
    first = spot.vector * LANES
    channel = spot.group * product.outputs + first
    lanes = chain.store_lanes(product, role)

    def write(value: Any, start: int, lane: Any) -> None:
        # The places of one access are neighbours.
        begin = channel + start
        place = order.place(begin) if order else chain.offset + begin
        T.buffer_store(out, value, [where.number, place + lane])

    store_global(sums, Span(product.outputs, first, lanes), where.inside, write)
