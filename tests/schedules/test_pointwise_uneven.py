"""Whole vectors and what they leave over, in one tile, compute what PyTorch computes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline.analysis.code import code_of
from pipeline.targets import target_named
from schedules.cpu import pointwise_uneven
from schedules.cpu.fetching_steps import MARK
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_deep import PointwiseDeep
from schedules.cpu.pointwise_parts import parts
from schedules.cpu.pointwise_uneven import PointwiseUneven, Tile
from schedules.frame import Frame
from schedules.machine import Machine
from tests.schedules.fetches import elements, fetches_in, lines_of
from tests.schedules.layers import alone
from tests.schedules.running import (
    AVX2,
    AVX512,
    NARROW_PAIRS,
    NEON,
    SEED,
    TOLERANCE,
    arguments_of,
    assert_same,
    pixels,
    run,
    weights_of,
)

# Groups, inputs and outputs of a group, shuffle: those of ShuffleNets, and every number of channels
# that can be left over.
LAYERS = [
    (3, 80, 20, 1), (3, 160, 40, 1), (3, 20, 72, 3), (2, 25, 88, 2), (1, 144, 36, 1),
    (1, 288, 72, 1), (4, 68, 34, 1), (4, 136, 68, 1), (1, 36, 120, 1), (1, 8, 17, 1),
    (2, 16, 33, 1), (1, 4, 18, 1), (1, 2, 20, 1), (1, 1, 40, 1), (5, 7, 24, 5), (3, 6, 56, 3),
]  # fmt: skip


def convolution(layer: tuple[int, ...], width: int = 11, border: int = 1) -> PointwiseUneven:
    groups, inputs, outputs, shuffle = layer
    source = Frame(2, 3, width, groups * inputs, border)
    target = Frame(2, 3, width, groups * outputs + 3, 1 - border)
    lanes = 8
    return PointwiseUneven(source, target, groups, inputs, outputs, 0, 16, lanes, shuffle, 3)


@pytest.mark.parametrize("width", [1, 2, 11])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_every_column_count_makes_what_pytorch_makes(layer: tuple[int, ...], width: int) -> None:
    work = convolution(layer, width, border=width % 2)
    kernel = alone(work)
    arguments = arguments_of(kernel)
    expected = by_pytorch(work, arguments["data"])
    fitting = pointwise_uneven.tiles_that_fit(work, NARROW_PAIRS)
    assert fitting
    for (columns,) in {fitting[0], fitting[len(fitting) // 2], fitting[-1]}:
        tiles = [Tile(2, columns)] * len(kernel.stages)
        out = run(scheduled(kernel, tiles, "strips"), kernel, arguments)["out"]
        got = pixels(work.target, out)[..., work.offset :]
        assert np.abs(got - expected).max() <= TOLERANCE * np.abs(expected).max()
        assert np.isnan(out).sum() == work.target.pixels * work.offset
        reference = run(program(kernel), kernel, arguments)
        assert_same(run(scheduled(kernel, tiles, "stages"), kernel, arguments), reference)


def by_pytorch(work: PointwiseUneven, data: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    rng.standard_normal(pixels(work.source, data).shape)
    weight, bias = map(torch.from_numpy, weights_of(alone(work), rng)["stage"])
    image = torch.from_numpy(pixels(work.source, data).copy()).permute(0, 3, 1, 2)
    if work.shuffle > 1:
        image = functional.channel_shuffle(image, work.shuffle)
    made = functional.conv2d(image, weight[..., None, None], bias, groups=work.groups)
    return torch.relu(made).permute(0, 2, 3, 1).numpy()


def whole(groups: int, inputs: int, outputs: int, shuffle: int, machine: Machine) -> Pointwise:
    source, target = Frame(1, 3, 11, groups * inputs), Frame(1, 3, 11, groups * outputs)
    lanes = machine.lanes_for(outputs)
    return Pointwise(source, target, groups, inputs, outputs, lanes, shuffle)


@pytest.mark.parametrize(
    ("layer", "depth"),
    [((3, 80, 20, 1), 2), ((3, 160, 40, 1), 1), ((3, 20, 72, 3), 1), ((4, 68, 34, 1), 4)],
)
def test_channels_left_over_share_a_tile_where_narrow_vectors_go_in_pairs(
    layer: tuple[int, ...], depth: int
) -> None:
    (uneven,) = parts(whole(*layer, NARROW_PAIRS), NARROW_PAIRS)
    assert isinstance(uneven, PointwiseUneven)
    assert (uneven.lanes, uneven.rest_lanes, uneven.depth) == (16, 8, depth)


@pytest.mark.parametrize(
    "layer",
    [(8, 96, 24, 1), (3, 20, 20, 3), (2, 200, 100, 1), (1, 24, 60, 1), (3, 21, 20, 1)],
    ids=["one vector and a half", "shuffled", "few columns", "several vectors over", "odd inputs"],
)
def test_they_do_not_where_that_takes_longer_or_cannot_be(layer: tuple[int, ...]) -> None:
    made = parts(whole(*layer, NARROW_PAIRS), NARROW_PAIRS)
    assert all(isinstance(part, Pointwise | PointwiseDeep) for part in made)


@pytest.mark.parametrize("machine", [AVX2, AVX512, NEON], ids=lambda machine: machine.name)
def test_other_machines_have_none(machine: Machine) -> None:
    for groups, inputs, outputs, shuffle in LAYERS:
        made = parts(whole(groups, inputs, outputs, shuffle, machine), machine)
        assert not any(isinstance(part, PointwiseUneven) for part in made)


@pytest.mark.parametrize("layer", [(3, 80, 20, 1), (3, 160, 40, 1), (1, 288, 72, 1)], ids=str)
def test_the_tile_by_hand_keeps_its_sums_in_registers(layer: tuple[int, ...]) -> None:
    groups, inputs, outputs, _ = layer
    frames = Frame(1, 4, 28, groups * inputs), Frame(1, 4, 28, groups * outputs)
    work = PointwiseUneven(*frames, groups, inputs, outputs, 0, 16, 8)
    (tile, *_) = pointwise_uneven.hand_tiles(work, NARROW_PAIRS, 2)
    code = code_of(scheduled(alone(work), [tile], "strips"), target_named("x86-64-v4"))
    innermost = [code.counts[n] for n, loop in enumerate(code.loops) if loop.innermost]
    counts = [count for count in innermost if count.multiplies]
    assert counts
    assert all(count.spills == 0 for count in counts)


def test_a_step_counts_the_multiply_adds_of_all_its_vectors() -> None:
    for layer, each in [((3, 160, 40, 1), 2 * 16 + 8), ((1, 144, 36, 1), 2 * (2 * 16 + 4))]:
        work = convolution(layer)
        tiles = [Tile(3, 5)] * len(alone(work).stages)
        script = scheduled(alone(work), tiles, "strips").script()
        assert f'"{MARK}": {5 * each}}}' in script
        assert work.step_macs * work.steps == work.inputs * work.outputs


def test_a_strip_fetches_the_panel_of_every_next_group() -> None:
    work = replace(convolution((3, 160, 40, 1)), target=Frame(2, 3, 11, 120), offset=0)
    function = scheduled(alone(work), [Tile(3, 5)], "strips")
    ((place, loops),) = fetches_in(function.body)
    shape = pointwise_uneven.weight_shapes(work)["weight"]
    size = int(np.prod(shape[1:]))
    fetched = elements(place, loops, shape).reshape(2, work.groups, -1)
    for strip in fetched:
        for group, places in enumerate(strip):
            begin = (group + 1) % work.groups * size
            assert lines_of(places) >= lines_of(np.arange(begin, begin + size))
            assert places.min() == begin
