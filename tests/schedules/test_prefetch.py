"""Weights are fetched a panel ahead, all of the next one and no more, images a row ahead."""

from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest

from schedules.cpu import (
    convolution,
    depthwise,
    first_convolution,
    first_convolution_paired,
    pointwise,
    pointwise_deep,
    prefetch_windows,
)
from schedules.cpu.convolution import Convolution
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.first_convolution_paired import PairedFirstConvolution
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_deep import PointwiseDeep
from schedules.cpu.pointwise_lanes import PointwiseLanes
from schedules.cpu.prefetch import without_fetches
from schedules.cpu.sharing import Sharing
from schedules.frame import Frame, Planes
from tests.schedules import layers
from tests.schedules.fetches import PER_LINE, elements, fetches_in, lines_of, values
from tests.schedules.layers import alone
from tests.schedules.running import AVX512

FRAME, WIDE = Frame(1, 6, 6, 384), Frame(1, 6, 6, 192)
STRIPS = 2


@pytest.mark.parametrize("sharing", ["strips", "stages"])
@pytest.mark.parametrize(("columns", "vectors"), [(6, 2), (4, 4), (5, 1)])
@pytest.mark.parametrize(
    "work",
    [
        Pointwise(FRAME, WIDE, 1, 384, 192, 8),
        Pointwise(FRAME, Frame(1, 6, 6, 576), 3, 128, 192, 8),
        PointwiseLanes(FRAME, WIDE, 1, 384, 192, 4),
        Convolution(Frame(1, 6, 6, 40, 1), WIDE, (3, 3), 1, 1, 1, 40, 192, 8),
    ],
    ids=["pointwise", "grouped", "lanes", "convolution"],
)
def test_a_strip_fetches_every_next_panel(
    work: Any, columns: int, vectors: int, sharing: Sharing
) -> None:
    module = convolution if isinstance(work, Convolution) else pointwise
    function = scheduled(alone(work), [module.Tile(6 // STRIPS, columns, vectors)], sharing)
    ((place, loops),) = fetches_in(function.body)
    shape = module.weight_shapes(work)["weight"]
    size = vectors * int(np.prod(shape[2:]))
    total = int(np.prod(shape))
    # Each iteration of the loops around the pixels' and the steps', and those of one iteration
    # between them, is a panel of a strip.
    inner = {Convolution: 7, PointwiseLanes: 5, Pointwise: 3}[type(work)]
    around = int(np.prod([int(loop.extent) for loop in loops[:-inner]]))
    fetched = elements(place, loops, shape).reshape(around, -1)
    tiles = 6 // STRIPS * -(-6 // columns)
    for number, places in enumerate(fetched):
        begin = (number + 1) * size % total
        assert lines_of(places) >= lines_of(np.arange(begin, begin + size))
        # What the tiles share they round up to whole lines, and what a tile fetches to as many
        # elements a step.
        assert places.max() < begin + size + tiles * PER_LINE + np.prod(shape[2:-1])
        assert places.min() == begin
    assert around == STRIPS * total // size


def test_a_strip_fetches_the_panel_of_every_next_group() -> None:
    work = PointwiseDeep(FRAME, Frame(1, 6, 6, 60), 3, 128, 20, 0, 20, 4, 8)
    function = scheduled(alone(work), [pointwise_deep.Tile(6 // STRIPS, 5)], "strips")
    ((place, loops),) = fetches_in(function.body)
    shape = pointwise_deep.weight_shapes(work)["weight"]
    size = int(np.prod(shape[1:]))
    fetched = elements(place, loops, shape).reshape(STRIPS, work.groups, -1)
    for strip in fetched:
        for group, places in enumerate(strip):
            begin = (group + 1) % work.groups * size
            assert lines_of(places) >= lines_of(np.arange(begin, begin + size))
            assert places.min() == begin


@pytest.mark.parametrize(("columns", "channels"), [(6, 384), (2, 384), (6, 96)])
def test_a_panel_is_fetched_evenly(columns: int, channels: int) -> None:
    work = Pointwise(Frame(1, 6, 6, channels), WIDE, 1, channels, 192, 8)
    function = scheduled(alone(work), [pointwise.Tile(6, columns, 2)], "strips")
    ((place, loops),) = fetches_in(function.body)
    tiles, size = 6 * (6 // columns), 2 * 8 * channels
    panel = elements(place, loops, pointwise.weight_shapes(work)["weight"])
    begins = panel.reshape(-1, tiles, channels)
    between = np.unique(np.diff(begins[:, :, 0], axis=1))
    assert between.tolist() == [-(-size // (tiles * PER_LINE)) * PER_LINE]
    assert np.diff(begins, axis=2).max() == -(-size // (tiles * channels))


@pytest.mark.parametrize(("columns", "fetched"), [(6, True), (5, True), (2, False)])
def test_where_tiles_are_many_none_is_fetched(columns: int, fetched: bool) -> None:
    """Of a panel of 96 lines a tile has 16 to fetch, 8, or 5 and a third."""
    work = Pointwise(Frame(1, 6, 6, 96), WIDE, 1, 96, 192, 8)
    function = scheduled(alone(work), [pointwise.Tile(6, columns, 2)], "strips")
    assert bool(list(fetches_in(function.body))) == fetched


@pytest.mark.parametrize("channels", [384, 375], ids=["whole turns", "two over"])
def test_a_turn_of_shuffled_channels_fetches_a_line_for_each(channels: int) -> None:
    frame = Frame(1, 6, 6, channels)
    work = Pointwise(frame, Frame(1, 6, 6, 576), 3, channels // 3, 192, 8, shuffle=3)
    function = scheduled(alone(work), [pointwise.Tile(3, 5, 6)], "strips")
    found = list(fetches_in(function.body))
    shape = pointwise.weight_shapes(work)["weight"]
    size, total = 6 * int(np.prod(shape[2:])), int(np.prod(shape))
    assert len(found) == work.shuffle
    strips = [elements(*fetch, shape).reshape(STRIPS, total // size, -1) for fetch in found]
    fetched = np.concatenate(strips, axis=-1)
    for panel in range(total // size):
        begin = (panel + 1) * size % total
        expected = lines_of(np.arange(begin, begin + size))
        for places in fetched[:, panel]:
            assert lines_of(places) >= expected
            assert places.min() == begin
            # Each of the four tiles of a strip begins its share with a line, and the last fetches
            # three lines a turn.
            share, turns = -(-size // (4 * PER_LINE)) * PER_LINE, -(-work.inputs // work.shuffle)
            assert places.max() < begin + 3 * share + turns * 3 * PER_LINE


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_rows_under_the_next_windows_are_fetched(images: int, stride: int) -> None:
    source = Planes(images, 3, 12, 20)
    target = Frame(images, 12 // stride, 20 // stride, 8)
    kernel = alone(FirstConvolution(source, target, stride, 8))
    function = scheduled(kernel, [first_convolution.Tile(2, 5, 1)], "strips")
    ((place, loops),) = fetches_in(function.body)
    fetched = values(place, loops)
    image, plane, row, column = fetched
    windows = range(target.height)
    expected = {
        (number, colour, min(max((y + 1) * stride + kh - 1, 0), 11))
        for number, colour, y, kh in product(range(images), range(3), windows, range(3))
    }
    assert set(zip(image.flat, plane.flat, row.flat, strict=True)) == expected
    assert set(column.flat) == set(range(0, 20, 5 * stride))


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("columns", [2, 4])
def test_every_line_of_the_rows_under_the_next_pair_is_fetched_once(
    images: int, columns: int
) -> None:
    height, width = 16, 64
    target = Frame(images, height // 2, width // 2, 8)
    work = PairedFirstConvolution(Planes(images, 3, height, width), target, 2, 8, columns=columns)
    function = scheduled(alone(work), [first_convolution_paired.Tile(4)], "strips")
    fetched = Counter()
    for (place, (*_, some, tile, plane)), pair in product(
        fetches_in(function.body), range(target.rows // 2)
    ):
        *places, column = values(place, (some, tile, plane), v_r=pair)
        found = [one.ravel().tolist() for one in (*places, column // PER_LINE)]
        fetched.update(zip(*found, strict=True))
    lines = range(width // PER_LINE)
    expected = Counter(
        (number, colour, min(4 * pair + 4 + new, height - 1), line)
        for number, colour, pair, new, line in product(
            range(images), range(3), range(target.height // 2), range(4), lines
        )
    )
    assert fetched == expected


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("channels_inside", [False, True])
@pytest.mark.parametrize(("columns", "vectors"), [(7, 1), (5, 2), (4, 4)])
def test_the_rows_that_the_next_windows_add_are_fetched(
    columns: int, vectors: int, channels_inside: bool, stride: int
) -> None:
    source = Frame(1, 4, 700, 96, 1)
    target = Frame(1, 4 // stride, 700 // stride, 96)
    work = Depthwise(source, target, stride, 8)
    assert work.source.bytes > prefetch_windows.FAR_BYTES
    tile = depthwise.Tile(2, columns, vectors, channels_inside)
    function = scheduled(alone(work), [tile], "strips")
    rows, width, channels = source.shape
    fetched = np.zeros((rows, width, channels // PER_LINE), bool)
    for place, loops in fetches_in(function.body):
        row, column, channel = values(place, loops)
        assert row.max() < rows
        assert column.max() < width
        assert channel.max() < channels
        fetched[row.ravel(), column.ravel(), channel.ravel() // PER_LINE] = True
    # What the first row of windows reads came with it, and the first columns of the others' too.
    assert fetched[3:, 2:].all()
    assert not fetched[:3].any()


def test_rows_that_stay_near_are_not_fetched() -> None:
    frame = Frame(1, 14, 14, 96)
    work = Depthwise(Frame(1, 14, 14, 96, 1), frame, 1, 8)
    function = scheduled(alone(work), [depthwise.Tile(2, 7, 1, channels_inside=False)], "strips")
    assert not list(fetches_in(function.body))


def test_what_fetches_ahead_can_be_left_out() -> None:
    kernel = alone(Pointwise(FRAME, WIDE, 1, 384, 192, 8))
    function = scheduled(kernel, [pointwise.Tile(3, 6, 2)], "strips")
    assert len(list(fetches_in(function.body))) == 1
    assert not list(fetches_in(without_fetches(function).body))


def test_what_a_paired_first_convolution_fetches_ahead_can_be_left_out() -> None:
    work = layers.first_paired(layers.PAIRED_IMAGES[0], AVX512)
    function = scheduled(alone(work), layers.hand_tiles(alone(work), AVX512), "strips")
    assert "prefetch" in str(function)
    assert "prefetch" not in str(without_fetches(function))


def test_what_shared_pixels_fetch_ahead_can_be_left_out() -> None:
    kernel = layers.unit((7, 7, 128, 1, 384), AVX512, border=0)
    function = scheduled(kernel, layers.hand_tiles(kernel, AVX512), "pixels")
    assert "prefetch" in str(function)
    assert "prefetch" not in str(without_fetches(function))


def test_a_panel_that_is_alone_is_not_fetched() -> None:
    work = Pointwise(FRAME, Frame(1, 6, 6, 16), 1, 384, 16, 8)
    function = scheduled(alone(work), [pointwise.Tile(3, 6, 2)], "strips")
    assert not list(fetches_in(function.body))


@pytest.mark.parametrize("shuffle", [1, 4])
def test_tiles_too_few_for_a_panel_fetch_nothing(shuffle: int) -> None:
    frame = Frame(1, 1, 1, 512)
    work = Pointwise(frame, frame, 1, 512, 512, 16, shuffle)
    function = scheduled(alone(work), [pointwise.Tile(1, 1, 4)], "strips")
    assert not list(fetches_in(function.body))
