"""The windows of a chain: the depthwise convolution, and the pool of the shortcut."""

from collections.abc import Callable
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import LANES, buffer, select, vector, when_all, width
from schedules.cuda.chain import slices
from schedules.cuda.chain_rows import shared_rows
from schedules.cuda.patch import Halo
from schedules.cuda.product import Rows
from schedules.cuda.site import Site
from schedules.cuda.window import Strip, Tap, Window, emit_window, global_tap
from schedules.frame import Frame


def windowed(site: Site, halo: Halo | None, middle: Any) -> Rows:
    """The window's result in shared memory, as the rows of the projection."""
    chain, count, groups = site.chain, site.tile.count, site.tile.groups
    assert chain.window is not None
    places = groups * chain.windowed
    rows = buffer("windowed", (count, places + LANES), "shared")
    strip = _strip(site, chain.window, site.slice * places, places, LANES)

    def store(pixel: Any, place: Any, sums: Any) -> None:
        with vector(LANES) as lane:
            T.buffer_store(rows, sums[lane], [pixel, place + lane])

    emit_window(strip, _taps(site, halo, middle), store)
    if groups == 1:
        return shared_rows(rows)
    return shared_rows(rows, site.slice * groups, chain.windowed)


def window_to_target(site: Site, halo: Halo | None, middle: Any) -> None:
    """A window that is the last step; parts divide its channels."""
    chain, lanes = site.chain, site.chain.window_lanes
    assert chain.window is not None
    places = chain.vectors // site.tile.parts * lanes
    strip = _strip(site, chain.window, site.part * places, places, lanes)
    stored = min(lanes, width(chain.offset, chain.target.channels))

    def store(pixel: Any, place: Any, sums: Any) -> None:
        where = site.pixel(pixel)
        first = site.part * places + place
        limit = chain.target.channels - chain.offset
        for start in range(0, lanes, stored):
            known = [*where.inside]
            if chain.windowed > limit:
                known.append(first + start < limit)
            with when_all(known), vector(stored) as lane:
                at = [where.number, chain.offset + first + start + lane]
                T.buffer_store(site.tensors["out"], sums[start + lane], at)

    emit_window(strip, _taps(site, halo, middle), store)


def pool(site: Site, pooled: Frame, result: Any) -> None:
    """The average pool of the shortcut; slices and parts divide its channels. It goes to the rows
    of the result too, if a product reads them."""
    chain = site.chain
    assert chain.pool is not None
    lanes = width(pooled.channels, chain.pool_offset, chain.target.channels)
    shares = slices(chain, site.tile) * site.tile.parts
    each = -(-pooled.channels // (lanes * shares)) * lanes
    strip = Strip(
        "pool",
        site.block,
        chain.pool,
        {},
        site.tile.count,
        site.block.slice * each,
        each,
        lanes,
    )
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
        with when_all(known), vector(lanes) as lane:
            T.buffer_store(site.tensors["out"], sums[lane], [where.number, place + lane])
        if result is not None:
            with vector(lanes) as lane:
                T.buffer_store(result, sums[lane], [pixel, place + lane])

    emit_window(strip, taps, store)


def _strip(site: Site, window: Window, first: Any, places: int, lanes: int) -> Strip:
    """All pixels of the block under the chain's window."""
    weights, count = site.role("window"), site.tile.count
    return Strip("window", site.block, window, weights, count, first, places, lanes)


def _taps(site: Site, halo: Halo | None, middle: Any) -> Callable[[Any], Tap]:
    """What lies under the window of a pixel of the block."""
    chain, window = site.chain, site.chain.window
    assert window is not None
    if halo is None:
        assert isinstance(chain.source, Frame)
        source, data, stride = chain.source, site.tensors["data"], window.stride
        return lambda pixel: global_tap(data, source, stride, site.pixel(pixel))
    # In shared memory a slice begins at channel 0.
    first = site.slice * site.tile.groups * chain.windowed

    def taps(pixel: Any) -> Tap:
        def tap(down: int, across: int, start: Any, lane: Any) -> Any:
            place, inside = halo.under(pixel, down, across)
            return select(inside, middle[place, start - first + lane])

        return tap

    return taps
