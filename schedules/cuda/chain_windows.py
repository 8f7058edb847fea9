"""The windows of a chain: the depthwise convolution, and the pool of the shortcut."""

from collections.abc import Callable
from functools import partial
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import select, when_all
from schedules.cuda.chain import slices
from schedules.cuda.patch import Halo
from schedules.cuda.product import Rows
from schedules.cuda.shared_rows import SharedRows, data_rows, fill_rows, rows_in
from schedules.cuda.site import Site
from schedules.cuda.vectors import lane_of, place_at, width, write
from schedules.cuda.window import Strip, Tap, Window, emit_window, global_tap
from schedules.frame import Frame


def windowed(site: Site, halo: Halo | None, middle: SharedRows | None) -> Rows:
    """The window's result in shared memory, as the rows of the projection."""
    chain, count, product = site.chain, site.tile.count, site.chain.project
    assert chain.window is not None
    assert product is not None
    share, lanes = site.share(product), chain.lanes
    places = share.groups * chain.windowed
    rows = data_rows("windowed", product, share, count)
    strip = _strip(site, chain.window, site.slice * places, places, lanes)

    def store(pixel: Any, place: Any, sums: Any) -> None:
        rows.keep(lanes, sums.__getitem__, pixel, place)

    emit_window(strip, _taps(site, halo, middle), store)
    fill_rows(site.block, product, share, rows, count)
    return rows_in(product, share, rows)


def window_to_target(site: Site, halo: Halo | None, middle: SharedRows | None) -> None:
    """A window that is the last step; parts divide its channels."""
    chain, lanes = site.chain, site.chain.window_lanes
    assert chain.window is not None
    places = chain.vectors // site.tile.parts * lanes
    strip = _strip(site, chain.window, site.part * places, places, lanes)
    stored = min(lanes, width(chain.target.dtype, chain.offset, chain.target.channels))

    def store(pixel: Any, place: Any, sums: Any) -> None:
        where = site.pixel(pixel)
        first = site.part * places + place
        limit = chain.target.channels - chain.offset
        for start in range(0, lanes, stored):
            known = [*where.inside]
            if chain.windowed > limit:
                known.append(first + start < limit)
            at = partial(place_at, where.number, chain.offset + first + start)
            with when_all(known):
                write(site.tensors["out"], stored, partial(lane_of, sums, start), at)

    emit_window(strip, _taps(site, halo, middle), store)


def pool(site: Site, pooled: Frame, result: SharedRows | None) -> None:
    """The average pool of the shortcut; slices and parts divide its channels. It goes to the rows
    of the result too, if a product reads them."""
    chain = site.chain
    assert chain.pool is not None
    lanes = width(chain.dtype, pooled.channels, chain.pool_offset, chain.target.channels)
    shares = slices(chain, site.tile) * site.tile.parts
    each = -(-pooled.channels // (lanes * shares)) * lanes
    strip = Strip(
        "pool", site.block, chain.pool, {}, site.tile.count, site.block.slice * each, each, lanes,
        chain.dtype, site.tile.run,
    )  # fmt: skip
    stride = chain.pool.stride

    def taps(pixel: Any) -> Tap:
        inner = global_tap(site.tensors["pooled"], pooled, stride, site.pixel(pixel))

        def tap(down: int, across: int, first: Any, lane: Any) -> Any:
            if each * shares > pooled.channels:
                first = T.min(first, pooled.channels - lanes)
            return inner(down, across, first, lane)

        return tap

    def store(pixel: Any, place: Any, sums: Any) -> None:
        where, first = site.pixel(pixel), site.block.slice * each + place
        known = [*where.inside]
        if each * shares > pooled.channels:
            known.append(first < pooled.channels)
        place = chain.pool_offset + first
        with when_all(known):
            write(
                site.tensors["out"], lanes, sums.__getitem__, partial(place_at, where.number, place)
            )
        if result is not None:
            result.keep(lanes, sums.__getitem__, pixel, place)

    emit_window(strip, taps, store)


def _strip(site: Site, window: Window, first: Any, places: int, lanes: int) -> Strip:
    """All pixels of the block under the chain's window."""
    weights, count = site.role("window"), site.tile.count
    return Strip(
        "window", site.block, window, weights, count, first, places, lanes, site.chain.dtype,
        site.tile.run,
    )  # fmt: skip


def _taps(site: Site, halo: Halo | None, middle: SharedRows | None) -> Callable[[Any], Tap]:
    """What lies under the window of a pixel of the block."""
    chain, window = site.chain, site.chain.window
    assert window is not None
    if halo is None:
        assert isinstance(chain.source, Frame)
        source, data, stride = chain.source, site.tensors["data"], window.stride
        return lambda pixel: global_tap(data, source, stride, site.pixel(pixel))
    assert middle is not None
    # In shared memory a slice begins at channel 0.
    first = site.slice * site.tile.groups * chain.windowed

    def taps(pixel: Any) -> Tap:
        def tap(down: int, across: int, start: Any, lane: Any) -> Any:
            place, inside = halo.under(pixel, down, across, site.tile.run)
            return select(inside, middle.value(place, start - first + lane))

        return tap

    return taps
