"""The rows that the first product of a chain reads, and that product on the halo."""

from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import select
from schedules.cuda.chain import first_product
from schedules.cuda.emit_product import emit_product
from schedules.cuda.epilogue import Epilogue
from schedules.cuda.extent import access_of, from_piece, image_of
from schedules.cuda.first_convolution import Piece
from schedules.cuda.patch import KERNEL, Halo
from schedules.cuda.product import Product, Rows, Spot
from schedules.cuda.product_lanes import Nest
from schedules.cuda.shared_rows import SharedRows, data_rows, fill_rows, padded_rows, rows_in
from schedules.cuda.site import Patch, Site
from schedules.cuda.vectors import buffer
from schedules.program import zero

TAPS = KERNEL * KERNEL


def first_rows(site: Site, where: Patch | Halo, count: int) -> Rows:
    """The data of the first product, from memory; an image's by way of shared memory."""
    chain, data = site.chain, site.tensors["data"]
    image = image_of(chain, site.tile)
    if image is not None:
        return _patches(site, image, count)
    product, tile = first_product(chain), site.block.tile

    def load(pixel: Any, group: Any, k: Any) -> Any:
        channel = product.source(group) * product.inputs + k
        if chain.gather > 1:
            each = product.groups * product.inputs // chain.gather
            channel = channel % chain.gather * each + channel // chain.gather
        return data[where.pixel(tile, pixel).number, channel]

    return Rows(load, access_of(chain, product))


def _patches(site: Site, image: Halo, count: int) -> Rows:
    """The values under the first convolution's window of every pixel, as rows or where they are."""
    planes, dtype, piece = image.source.channels, site.chain.dtype, _piece(site, image)
    product = first_product(site.chain)
    if from_piece(site.chain, site.tile):
        return Rows(lambda *_: None, access_of(site.chain, product), piece=piece)
    share = site.share(product)
    rows = data_rows("patches", product, share, count)
    with site.block.items(count * planes) as item:
        number, plane = item // planes, item % planes
        for tap in range(TAPS):
            place, inside = image.under(number, tap // KERNEL, tap % KERNEL)
            value = T.cast(select(inside, piece.values[plane, place]), dtype)
            rows.store(value, number, plane * TAPS + tap)
    rest = product.inputs - planes * TAPS
    with site.block.items(count * rest) as item:
        rows.store(zero(dtype), item // rest, planes * TAPS + item % rest)
    fill_rows(site.block, product, share, rows, count)
    return rows_in(product, share, rows)


def _piece(site: Site, image: Halo) -> Piece:
    """A piece of the image in shared memory, where neighbouring threads bring neighbouring columns:
    windows share most of it."""
    planes = image.source.channels
    values = buffer("piece", (planes, image.count), "shared", image.source.dtype)
    with site.block.items(planes * image.count) as item:
        plane, place = item // image.count, item % image.count
        pixel = image.pixel(site.block.tile, place)
        value = site.tensors["data"][pixel.image, plane, pixel.row, pixel.column]
        T.buffer_store(values, select(pixel.inside, value), [plane, place])
    return Piece(values, image, planes)


def expand(site: Site, product: Product, halo: Halo, begun: Nest | None) -> SharedRows:
    """The product on the halo, zero off the image, in shared memory."""
    job, lanes = site.job("expand"), product.lanes
    middle = padded_rows("middle", product, halo.count, job.share.columns * lanes)

    def store(spot: Spot, sums: Any) -> None:
        inside = halo.pixel(site.block.tile, spot.pixel).inside
        middle.keep(lanes, lambda lane: select(inside, sums[lane]), spot.pixel, spot.column * lanes)

    rows = first_rows(site, halo, halo.count)
    emit_product(job, rows, Epilogue(None, store), begun)
    return middle
