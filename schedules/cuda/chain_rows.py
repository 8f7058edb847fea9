"""The rows that the first product of a chain reads, and that product on the halo."""

from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import LANES, buffer, select, vector
from schedules.cuda.chain import PATCH, slices, step
from schedules.cuda.patch import KERNEL, Halo
from schedules.cuda.product import Access, Job, Product, Rows, Share, Spot, emit_product, finish
from schedules.cuda.shared import image_of
from schedules.cuda.site import Patch, Site
from schedules.program import zero

TAPS = KERNEL * KERNEL


def first_rows(site: Site, where: Patch | Halo, count: int) -> Rows:
    """The data of the first product, from memory; an image's by way of shared memory."""
    chain, data = site.chain, site.tensors["data"]
    image = image_of(chain, site.tile)
    if image is not None:
        return _patches(site, image, count)
    product = chain.expand or chain.project
    assert product is not None
    tile = site.block.tile

    def load(pixel: Any, group: Any, k: Any) -> Any:
        channel = product.source(group) * product.inputs + k
        if chain.gather > 1:
            each = product.groups * product.inputs // chain.gather
            channel = channel % chain.gather * each + channel // chain.gather
        return data[where.pixel(tile, pixel).number, channel]

    return Rows(load, Access(step(chain), shared=False))


def _patches(site: Site, image: Halo, count: int) -> Rows:
    """The values under the first convolution's window of every pixel, as rows.

    A piece of the image comes to shared memory first, neighbouring threads with neighbouring
    columns: windows share most of it.
    """
    planes = image.source.channels
    piece = buffer("piece", (planes, image.count), "shared")
    with site.block.items(planes * image.count) as item:
        plane, place = item // image.count, item % image.count
        pixel = image.pixel(site.block.tile, place)
        value = site.tensors["data"][pixel.image, plane, pixel.row, pixel.column]
        T.buffer_store(piece, select(pixel.inside, value), [plane, place])
    rows = buffer("patches", (count, PATCH + LANES), "shared")
    with site.block.items(count * planes) as item:
        number, plane = item // planes, item % planes
        for tap in range(TAPS):
            place, inside = image.under(number, tap // KERNEL, tap % KERNEL)
            T.buffer_store(rows, select(inside, piece[plane, place]), [number, plane * TAPS + tap])
    rest = PATCH - planes * TAPS
    with site.block.items(count * rest) as item:
        T.buffer_store(rows, zero(), [item // rest, planes * TAPS + item % rest])
    return shared_rows(rows)


def expand(site: Site, product: Product, halo: Halo) -> Any:
    """The product on the halo, zero off the image, in shared memory."""
    groups = product.groups // slices(site.chain, site.tile)
    share = Share(
        site.slice * groups, groups, 0, product.vectors, site.tile.pixels, site.tile.splits
    )
    middle = buffer("middle", (halo.count, (share.columns + 1) * LANES), "shared")
    weights = site.role("expand")

    def store(spot: Spot, sums: Any) -> None:
        finish(product, spot, sums, weights["bias"])
        inside = halo.pixel(site.block.tile, spot.pixel).inside
        with vector(LANES) as lane:
            value = select(inside, sums[lane])
            T.buffer_store(middle, value, [spot.pixel, spot.column * LANES + lane])

    rows = first_rows(site, halo, halo.count)
    emit_product(Job("expand", site.block, product, share, halo.count, weights), rows, store)
    return middle


def shared_rows(rows: Any, first: Any = 0, each: int = 0) -> Rows:
    """Rows that lie in shared memory as [pixel, k]; `each` values of every group from `first` on,
    if there are several."""

    def load(pixel: Any, group: Any, k: Any) -> Any:
        return rows[pixel, (group - first) * each + k if each else k]

    return Rows(load, Access(LANES, shared=True))
