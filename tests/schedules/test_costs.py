"""What hand tiles and strips are chosen by: sums under way, shuffled reads, lines of pools."""

from dataclasses import replace
from math import ceil
from typing import Any

import pytest

from schedules.cpu import depthwise, pool
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.operators import operator
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_lanes import PointwiseLanes
from schedules.cpu.pool import Pool
from schedules.cpu.products import Product
from schedules.cpu.shuffled_reads import unused_bytes
from schedules.cpu.statements import loops_changed
from schedules.cpu.tiles import fits, strip_choices, strips
from schedules.frame import Frame
from schedules.machine import Machine
from tests.schedules.layers import alone, unit
from tests.schedules.running import AVX2, AVX512, NEON


def shuffled(groups: int, shuffle: int) -> Pointwise:
    return Pointwise(
        Frame(1, 14, 14, 192),
        Frame(1, 14, 14, 768),
        groups,
        192 // groups,
        768 // groups,
        8,
        shuffle,
    )


def test_a_sum_costs_more_where_too_few_are_under_way() -> None:
    few, more, enough = (
        Product(AVX2, 8, vectors, 100).step_cycles(columns) / (columns * vectors)
        for columns, vectors in [(2, 4), (2, 5), (4, 3)]
    )
    # Their loads alone would make these 1.03 and 1.02.
    assert few > 1.05 * enough
    assert more > 1.04 * enough


def test_passes_over_a_strip_that_stays_in_the_first_cache_bring_nothing_anew() -> None:
    assert unused_bytes(shuffled(8, 8), AVX2, 1) == 0
    assert unused_bytes(shuffled(8, 8), AVX2, 7) > 0


def test_the_more_groups_the_less_of_a_line_is_used() -> None:
    two, eight = (unused_bytes(shuffled(groups, groups), AVX2, 7) for groups in (2, 8))
    assert eight > 2 * two > 0


def test_channels_in_order_are_used_whole() -> None:
    assert unused_bytes(shuffled(8, 1), AVX2, 7) == 0


@pytest.mark.parametrize(("channels", "vectors"), [(240, 2), (384, 2), (200, 1), (16, 2)])
def test_pools_take_whole_lines(channels: int, vectors: int) -> None:
    work = Pool(Frame(1, 28, 28, channels, 1), Frame(1, 14, 14, channels), "average", 2, 8)
    assert pool.hand_tiles(work, AVX2, 7)[0].vectors == vectors


@pytest.mark.parametrize("module", [depthwise, pool])
@pytest.mark.parametrize(("machine", "inside"), [(AVX2, True), (AVX512, False), (NEON, False)])
def test_both_orders_can_be_tuned_and_the_measured_one_is_by_hand(
    machine: Machine, inside: bool, module: Any
) -> None:
    frames = Frame(1, 28, 28, 128), Frame(1, 14, 14, 128)
    works = {depthwise: Depthwise(*frames, 2, 4), pool: Pool(*frames, "average", 2, 4)}
    assert {tile[2] for tile in module.tiles_that_fit(works[module], machine)} == {False, True}
    assert {tile.channels_inside for tile in module.hand_tiles(works[module], machine, 7)} == {
        inside
    }


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("module", [depthwise, pool])
def test_the_inner_loop_is_that_over_channels_or_over_columns(module: Any, inside: bool) -> None:
    """4 blocks of 7 columns, and 6 vectors."""
    frames = Frame(1, 28, 28, 48), Frame(1, 28, 28, 48)
    works = {depthwise: Depthwise(*frames, 1, 8), pool: Pool(*frames, "average", 1, 8)}
    function = scheduled(alone(works[module]), [module.Tile(28, 7, 1, inside)], "strips")
    extents: list[int] = []
    loops_changed(function.body, lambda loop, _: extents.append(int(loop.extent)))
    assert extents[2:4] == ([4, 6] if inside else [6, 4])


@pytest.mark.parametrize("cores", [1, 2, 3, 4])
@pytest.mark.parametrize("inputs", [960, 1024])
@pytest.mark.parametrize(("machine", "kind"), [(AVX512, Pointwise), (NEON, PointwiseLanes)])
def test_no_core_has_much_more_of_a_classifier_than_its_share(
    machine: Machine, kind: type[Pointwise], inputs: int, cores: int
) -> None:
    """1000 classes are 63 vectors of 16, of which 21 at a time would be 3 tasks for 2 cores."""
    machine = replace(machine, cores=cores)
    pixel = Frame(1, 1, 1, inputs), Frame(1, 1, 1, 1000)
    work = kind(*pixel, 1, inputs, 1000, machine.lanes)
    tile = operator(work).hand_tiles(work, machine, 1)[0]
    tasks = work.vectors.count // tile.vectors
    assert ceil(tasks / cores) <= 1.15 * tasks / cores


@pytest.mark.parametrize("cores", [2, 4])
@pytest.mark.parametrize("rows", [13, 23, 30, 45])
@pytest.mark.parametrize("machine", [AVX2, AVX512, NEON], ids=lambda machine: machine.name)
def test_strips_divide_the_rows(machine: Machine, rows: int, cores: int) -> None:
    """23 rows as strips of 12 and 11 end in a tile that asks for every pixel whether it is there;
    so do 13 as 7 and 6, 30 on four cores as 8, 8, 8 and 6, and 45 as 23 and 22 or as 12, 12, ..."""
    machine = replace(machine, cores=cores)
    height, sharing = strips(unit((rows, 40, 128, 1, 512), machine, 0), machine)
    assert sharing == "pixels" or rows % height == 0


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize(("outputs", "dealt_out"), [(384, "pixels"), (1024, "stages")])
def test_cores_share_the_channels_where_weights_are_many(
    outputs: int, dealt_out: str, cores: int
) -> None:
    """Two 1x1 convolutions of 512 channels have 1.6 MB of weights, or 4.2 MB, at 7 x 7."""
    machine = replace(AVX2, cores=cores)
    kernel = unit((7, 7, 512, 1, outputs), machine, 0)
    rows, sharing = strips(kernel, machine)
    assert sharing == (dealt_out if cores > 1 else "strips")
    assert (7, "stages") in strip_choices(kernel, machine)
    assert fits(kernel, rows, sharing)


def test_few_weights_are_not_dealt_out() -> None:
    kernel = unit((7, 7, 40, 3, 160), AVX2, 0)
    assert strips(kernel, AVX2) == (7, "pixels")
    assert (7, "stages") not in strip_choices(kernel, AVX2)


@pytest.mark.parametrize("inside", [False, True])
def test_a_line_between_pixels_uncrowds_the_first_cache(inside: bool) -> None:
    frames = Frame(1, 14, 14, 512, 1), Frame(1, 14, 14, 512)
    apart = [replace(frame, spare=16) for frame in frames]
    cost = depthwise.cycles
    close, spared = (cost(Depthwise(*pair, 1, 8), AVX2, 4, 2, inside) for pair in (frames, apart))
    assert spared < close
