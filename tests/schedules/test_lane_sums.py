"""Rounds add up every channel's lanes, and leave the sums in the order in which they are stored."""

from itertools import product

import numpy as np
import pytest

from pipeline.compiling import compile_function
from pipeline.targets import target_named
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.lane_sums import channels_in_order, rounds
from schedules.cpu.pointwise_deep import PointwiseDeep, Tile
from schedules.frame import Frame
from tests.schedules.layers import alone

SHAPES = [
    (vectors, lanes, depth, block)
    for vectors, lanes, depth, block in product(range(1, 12), (2, 4, 8, 16), (2, 4, 8, 16), (4, 8))
    if depth <= lanes
]


@pytest.mark.parametrize(("vectors", "lanes", "depth", "block"), SHAPES)
def test_sums_come_in_the_order_of_channels(
    vectors: int, lanes: int, depth: int, block: int
) -> None:
    made = rounds(vectors, lanes, depth, block)
    channels = channels_in_order(made, vectors, lanes, depth)
    assert sorted(channels) == list(range(vectors * lanes // depth))
    # Every lane of channel c is 2**c: what a sum is made of can be read from it.
    held = [
        np.array([1 << int(channels[(v * lanes + lane) // depth]) for lane in range(lanes)], object)
        for v in range(vectors)
    ]
    for pairs in made:
        joined = [np.concatenate([held[at] for at in pair.sources]) for pair in pairs]
        held = [one[pair.lower] + one[pair.upper] for one, pair in zip(joined, pairs, strict=True)]
    expected = [depth << channel for channel in range(vectors * lanes // depth)]
    assert np.concatenate(held).tolist() == expected


@pytest.mark.parametrize(("vectors", "depth"), list(product((4, 5, 8, 10), (2, 4))))
def test_lanes_of_two_wide_vectors_stay_within_blocks(vectors: int, depth: int) -> None:
    for pair in (one for pairs in rounds(vectors, 16, depth, 4) for one in pairs):
        lanes = len(pair.lower)
        if len(pair.sources) == 1:
            continue
        for taken in (pair.lower, pair.upper):
            assert all(at % lanes // 4 == to // 4 for to, at in enumerate(taken))


@pytest.mark.parametrize(("inputs", "outputs", "depth"), [(80, 20, 4), (160, 40, 2)])
def test_on_level_4_no_instruction_crosses_blocks(inputs: int, outputs: int, depth: int) -> None:
    target = target_named("x86-64-v4")
    source, made = Frame(1, 14, 14, 3 * inputs), Frame(1, 14, 14, 3 * outputs)
    work = PointwiseDeep(source, made, 3, inputs, outputs, 0, outputs, depth, 16)
    function = scheduled(alone(work), [Tile(14, 5)], "strips")
    code = str(compile_function(function, target).mod.inspect_source("asm"))
    assert "vfmadd" in code
    assert "vpermt2ps" not in code
    assert "vpermi2ps" not in code
