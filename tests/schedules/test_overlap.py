"""Strips that make the rows under their windows compute what whole frames do."""

from dataclasses import replace

import numpy as np
import pytest

from schedules.cpu.depthwise import Depthwise
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.first_convolution_deep import MOST_WHOLE, FirstConvolutionDeep, suits
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.operators import Work, operator
from schedules.cpu.pool import Pool
from schedules.cpu.row_pool import RowPool
from schedules.cpu.tiles import fits, hand_tile, strip_choices
from schedules.frame import Frame, Planes
from schedules.machine import Machine
from tests.schedules import layers
from tests.schedules.running import MACHINES, Array, arguments_of, assert_same, run

# Height, width and channels of the image's convolution, stride of the window, pool or depthwise.
LAYERS = [
    (24, 20, 24, 2, "pool"),
    (16, 11, 32, 1, "depthwise"),
    (13, 7, 17, 2, "depthwise"),
    (9, 3, 1, 1, "pool"),
    # Half a vector is left over of one of the machines.
    (8, 10, 24, 2, "pool"),
    (16, 8, 12, 1, "depthwise"),
    (5, 6, 6, 1, "depthwise"),
]


def works(layer: tuple[int, int, int, int, str], machine: Machine) -> tuple[Work, Work]:
    height, width, channels, stride, kind = layer
    image = Planes(1, 3, 2 * height - 1, 2 * width)
    between = Frame(1, height, width, channels)
    size = ((height - 1) // stride + 1, (width - 1) // stride + 1)
    lanes, result = machine.lanes_for(channels), Frame(1, *size, channels)
    window: Work = Depthwise(between, result, stride, lanes, "relu")
    if kind == "pool":
        window = Pool(between, result, "max", stride, lanes)
    first = FirstConvolution(image, between, 2, lanes)
    return (FirstConvolutionDeep(**vars(first)) if suits(first) else first), window


def joined(first: Work, window: Work) -> Kernel:
    made = Stage("first", first, (("data", "image"),), "between")
    last = Stage("last", window, (("data", "between"),), "out")
    return Kernel((made, last), ("between",))


def apart(first: Work, window: Work, arguments: dict[str, Array]) -> dict[str, Array]:
    """The result of both as kernels of their own."""
    made = Stage("first", first, (("data", "image"),), "between")
    last = Stage("last", window, (("data", "between"),), "out")
    one, two = Kernel((made,)), Kernel((last,))
    mine = {name: array for name, array in arguments.items() if not name.startswith("last")}
    between = run(program(one), one, mine)
    theirs = {name: array for name, array in arguments.items() if name.startswith("last")}
    return run(program(two), two, between | theirs)


def paired(layer: tuple[int, ...], machine: Machine, stride: int) -> tuple[Work, Work]:
    """A convolution by pairs, and the maximum over rows or a depthwise convolution."""
    first = layers.first_paired(layer, machine)
    between = replace(first.target, border=0)
    first = replace(first, target=between)
    height, width = (between.height - 1) // stride + 1, between.width
    if first.pooled:
        return first, RowPool(between, replace(between, height=height), "max", stride, first.lanes)
    result = replace(between, height=height, width=(width - 1) // stride + 1)
    return first, Depthwise(between, result, stride, first.lanes)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_every_strip_height_computes_the_same(
    layer: tuple[int, int, int, int, str], machine: Machine
) -> None:
    assert_strips_compute_the_same(*works(layer, machine), machine)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
@pytest.mark.parametrize(
    ("layer", "stride"),
    [
        ((1, 32, 56, 24, 4, True), 2),
        ((1, 16, 44, 17, 2, True), 2),
        ((1, 8, 32, 5, 2, True), 2),
        ((1, 24, 36, 16, 2, False), 1),
        ((1, 32, 48, 32, 4, False), 2),
    ],
)
def test_pairs_of_rows_too(layer: tuple[int, ...], stride: int, machine: Machine) -> None:
    assert_strips_compute_the_same(*paired(layer, machine, stride), machine)


def test_pairs_of_rows_are_never_cut() -> None:
    """Windows of stride 1 need strips of whole pairs, those of stride 2 have them under any."""
    single, double = (
        joined(*paired((1, 24, 32, 16, 2, False), MACHINES[0], stride)) for stride in (1, 2)
    )
    assert [rows for rows in range(1, 13) if fits(single, rows, "strips")] == [2, 4, 6, 12]
    assert [rows for rows in range(1, 7) if fits(double, rows, "strips")] == [1, 2, 3, 6]
    assert all(rows % 2 == 0 for rows, _ in strip_choices(single, MACHINES[0]))


def assert_strips_compute_the_same(first: Work, window: Work, machine: Machine) -> None:
    kernel = joined(first, window)
    assert kernel.overlaps
    arguments = arguments_of(kernel)
    expected = apart(first, window, arguments)
    assert not np.isnan(expected["out"]).any()
    assert_same(run(program(kernel), kernel, arguments), expected)
    rows = kernel.rows
    for height in (1, 2, 3, 4, rows):
        if not fits(kernel, height, "strips"):
            continue
        tiles = [operator(s.work).hand_tiles(s.work, machine, height)[0] for s in kernel.stages]
        assert_same(run(scheduled(kernel, tiles, "strips"), kernel, arguments), expected)


@pytest.mark.parametrize(("machine", "channels"), list(zip(MACHINES, (12, 24, 6), strict=True)))
def test_half_a_vector_takes_two_taps_at_once(machine: Machine, channels: int) -> None:
    def kind(width: int, channels: int) -> type[Work]:
        return type(works((16, width, channels, 1, "depthwise"), machine)[0])

    assert kind(8, channels) is FirstConvolutionDeep
    assert kind(8, 2 * channels) is FirstConvolution
    assert kind(7, channels) is FirstConvolution
    lanes = 2 * channels // 3
    for whole in range(1, 6):
        first, _ = works((16, 8, whole * lanes + lanes // 2, 1, "depthwise"), machine)
        assert (type(first) is FirstConvolutionDeep) == (whole <= MOST_WHOLE)
        assert operator(first).hand_tiles(first, machine, 1)


def test_strips_that_overlap_are_merged_and_divide_the_rows() -> None:
    for machine in MACHINES:
        kernel = joined(*works(LAYERS[0], machine))
        hand = hand_tile(kernel, machine)
        for rows, sharing in [(hand.strip_rows, hand.sharing), *strip_choices(kernel, machine)]:
            assert sharing == "strips"
            assert kernel.rows % rows == 0
            assert fits(kernel, rows, sharing)
        assert not fits(kernel, kernel.rows, "stages")
        for sharing in ("stages", "pixels"):
            with pytest.raises(ValueError, match=sharing):
                scheduled(kernel, hand_tile(kernel, machine).stages, sharing)
        assert not fits(kernel, 5, "strips")
