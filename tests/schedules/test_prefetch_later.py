"""Kernels fetch all of what they are told to of what is read later, and compute the same."""

from typing import Any

import numpy as np
import pytest
from tvm.tirx import PrimFunc

from schedules.cpu import pointwise
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.phases import Phases, phases_of
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.prefetch import without_fetches
from schedules.cpu.prefetch_later import FEWEST_STEPS, fetching_later, room
from schedules.frame import Frame
from schedules.machine import LINE
from tests.schedules import layers
from tests.schedules.fetches import fetches_in, values
from tests.schedules.layers import alone
from tests.schedules.running import AVX512, arguments_of, assert_same, called, run
from tests.schedules.test_phases import of_phases

# Pixels, width, channels between, groups, channels: as at the end of ShuffleNet, and smaller.
UNITS = [(7, 7, 128, 1, 384), (6, 5, 96, 3, 240)]


@pytest.mark.parametrize("sharing", ["strips", "pixels", "stages"])
@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_every_line_is_fetched(unit: Any, sharing: str) -> None:
    made = phases_of(_function(layers.unit(unit, AVX512, border=0), sharing))
    assert room(made) > 100 * LINE
    for lines in (1, 3, room(made) // LINE):
        fetched = _later(fetching_later(made, lines * LINE))
        assert set(fetched) == set(range(lines))


@pytest.mark.parametrize("sharing", ["strips", "pixels"])
def test_what_fetches_for_others_computes_the_same(sharing: str) -> None:
    kernel = layers.unit(UNITS[1], AVX512, border=0)
    arguments = arguments_of(kernel)
    made = phases_of(_function(kernel, sharing))
    fetching = fetching_later(made, room(made))
    assert [phase.tensors[-1] for phase in fetching.phases].count(_place(made)) > 0
    function = of_phases(fetching, range(2), 2)
    assert_same(called(function, kernel, arguments), run(program(kernel), kernel, arguments))


@pytest.mark.parametrize("inputs", [FEWEST_STEPS - 1, FEWEST_STEPS])
def test_few_steps_have_no_time_to_fetch(inputs: int) -> None:
    work = Pointwise(Frame(1, 6, 6, inputs), Frame(1, 6, 6, 64), 1, inputs, 64, 16)
    function = scheduled(alone(work), [pointwise.Tile(6, 6, 4)], "strips")
    assert (room(phases_of(function)) > 0) == (inputs >= FEWEST_STEPS)


def test_small_steps_have_no_time_to_fetch() -> None:
    work = Pointwise(Frame(1, 1, 1, 512), Frame(1, 1, 1, 64), 1, 512, 64, 16)
    function = scheduled(alone(work), [pointwise.Tile(1, 1, 4)], "strips")
    assert room(phases_of(function)) == 0


def test_it_can_be_left_out() -> None:
    function = _function(layers.unit(UNITS[0], AVX512, border=0), "pixels")
    assert room(phases_of(without_fetches(function))) == 0


def _function(kernel: Any, sharing: Any) -> PrimFunc:
    return scheduled(kernel, layers.hand_tiles(kernel, AVX512), sharing)


def _place(made: Phases) -> int:
    """The number of the tensor that is fetched from."""
    return len(made.parameters) + len(made.scratch)


def _later(made: Phases) -> list[int]:
    """The lines that phases fetch for others."""
    found: list[int] = []
    for phase in made.phases:
        for place, loops in fetches_in(phase.function.body, (), "later"):
            (byte,) = values(place, loops)
            found += np.unique(byte // LINE).tolist()
    return found
