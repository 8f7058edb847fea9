"""The products of a chain that write memory: the projection, and the first of the next unit."""

from functools import partial
from typing import Any

from schedules.cuda.chain_stage import stage, unload_mean
from schedules.cuda.emit_product import emit_product
from schedules.cuda.epilogue import Added, Epilogue, Span, store_global
from schedules.cuda.product import Meanwhile, Product, Rows, Spot
from schedules.cuda.product_lanes import Nest
from schedules.cuda.shared_rows import SharedRows, data_rows, fill_rows, padded_rows, rows_in
from schedules.cuda.site import Site
from schedules.cuda.vectors import (
    lane_of,
    place_at,
    width,
    write,
)


def result_rows(site: Site, product: Product) -> SharedRows:
    """Shared memory for what the product after the projection reads, a row a pixel."""
    share, count = site.share(product), site.tile.count
    rows = data_rows("result", product, share, count)
    fill_rows(site.block, product, share, rows, count)
    return rows


def project(
    site: Site, rows: Rows, result: SharedRows | None, begun: Nest | None, meanwhile: Meanwhile
) -> None:
    """The projection to the target, and to shared memory for a product that follows."""
    chain, product, tile = site.chain, site.chain.project, site.tile
    assert product is not None
    job = site.job("project")
    share = job.share
    through = chain.narrow or (chain.staged and not chain.follow)
    staged = stage(site, product, share, "out") if through else None
    values = share.columns * product.lanes
    kept = padded_rows("kept", product, tile.count, values) if chain.mean else None

    def store(spot: Spot, sums: Any) -> None:
        if result is not None:
            _keep_result(site, product, spot, sums, result)
        if staged is not None:
            staged.keep(spot, sums)
        elif kept is not None:
            kept.keep(product.lanes, sums.__getitem__, spot.pixel, spot.column * product.lanes)
        else:
            _store(site, product, spot, sums, "out")

    residual = _residual(site, product) if chain.residual else None
    emit_product(job, rows, Epilogue(residual, store), begun, meanwhile)
    if staged is not None:
        staged.unload()
    elif kept is not None:
        unload_mean(site, product, share, kept)


def follow(site: Site, product: Product, result: SharedRows, begun: Nest | None) -> None:
    """The first product of the next unit on the result of this one."""
    job = site.job("follow")
    staged = stage(site, product, job.share, "after") if site.chain.staged else None

    def store(spot: Spot, sums: Any) -> None:
        if staged is not None:
            staged.keep(spot, sums)
        else:
            _store(site, product, spot, sums, "after")

    emit_product(job, rows_in(product, job.share, result), Epilogue(None, store), begun)
    if staged is not None:
        staged.unload()


def _keep_result(site: Site, product: Product, spot: Spot, sums: Any, result: SharedRows) -> None:
    """A vector of the result for the product that follows. Beside a pool's channels each has its
    own place, else each group is as wide as its vectors."""
    chain, each = site.chain, product.lanes
    if not chain.pooled:
        result.keep(each, sums.__getitem__, spot.pixel, spot.column * each)
        return
    first, lanes = spot.vector * each, width(chain.dtype, product.outputs, chain.offset)
    place = chain.offset + spot.group * product.outputs + first

    def store(start: int) -> None:
        result.keep(lanes, partial(lane_of, sums, start), spot.pixel, place + start)

    store_global(Span(product.outputs, first, each, lanes), (), store)


def _residual(site: Site, product: Product) -> Added:
    """What results are added to: channels of the pixels of the target."""
    return Added(
        "residual",
        site.tensors["residual"],
        lambda spot: site.pixel(spot.pixel).number,
        lambda spot: spot.group * product.outputs + spot.vector * product.lanes,
        width(product.dtype, product.outputs),
    )


def _store(site: Site, product: Product, spot: Spot, sums: Any, role: str) -> None:
    """A vector of results to the tensor of a role, as wide as its alignment allows."""
    chain, out = site.chain, site.tensors[role]
    order = chain.order if role == "after" or not chain.follow else None
    where, first = site.pixel(spot.pixel), spot.vector * product.lanes
    channel = spot.group * product.outputs + first
    lanes = chain.store_lanes(product, role)

    def store(start: int) -> None:
        # The places of one access are neighbours.
        begin = channel + start
        place = order.place(begin) if order else chain.offset + begin
        at = partial(place_at, where.number, place)
        write(out, lanes, partial(lane_of, sums, start), at)

    store_global(Span(product.outputs, first, product.lanes, lanes), where.inside, store)
