"""The rows that the first product of a chain reads, and that product on the halo."""

from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import LANES, buffer, select, vector
from schedules.cuda.chain import PATCH, step
from schedules.cuda.patch import KERNEL, Halo
from schedules.cuda.product import Job, Product, Rows, Share, Spot, emit_product, finish
from schedules.cuda.site import Patch, Site
from schedules.frame import Planes


def first_rows(site: Site, where: Patch | Halo, count: int) -> Rows:
    """The data of the first product, from memory; an image's by way of shared memory."""
    chain, data = site.chain, site.tensors["data"]
    if isinstance(chain.source, Planes):
        return _patches(site, chain.source, where, count)
    product = chain.expand or chain.project
    assert product is not None
    tile = site.block.tile

    def load(pixel: Any, group: Any, k: Any) -> Any:
        channel = product.source(group) * product.inputs + k
        if chain.gather > 1:
            each = product.groups * product.inputs // chain.gather
            channel = channel % chain.gather * each + channel // chain.gather
        return data[where.pixel(tile, pixel).number, channel]

    return Rows(load, step(chain))


def _patches(site: Site, images: Planes, where: Patch | Halo, count: int) -> Rows:
    """The values under the first convolution's window of every pixel, as rows."""
    rows, stride = buffer("patches", (count, PATCH + LANES), "shared"), site.chain.stride
    with site.block.items(count * PATCH) as item:
        pixel, k = where.pixel(site.block.tile, item // PATCH), item % PATCH
        plane, tap = k // (KERNEL * KERNEL), k % (KERNEL * KERNEL)
        row = pixel.row * stride - 1 + tap // KERNEL
        column = pixel.column * stride - 1 + tap % KERNEL
        inside = [row >= 0, row < images.height, column >= 0, column < images.width]
        inside.append(plane < images.planes)
        value = select(inside, site.tensors["data"][pixel.image, plane, row, column])
        T.buffer_store(rows, value, [item // PATCH, k])
    return shared_rows(rows)


def expand(site: Site, product: Product, halo: Halo) -> Any:
    """The product on the halo, zero off the image, in shared memory."""
    groups = product.groups // site.chain.slices
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


def shared_rows(rows: Any) -> Rows:
    """Rows that lie in shared memory as [pixel, k]."""
    return Rows(lambda pixel, group, k: rows[pixel, k], LANES)
