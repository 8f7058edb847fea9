"""Kernels fetch all of what they are told to of what is read later, and compute the same."""

from typing import Any

import numpy as np
import pytest
from tvm import tirx
from tvm.tirx import PrimFunc

from schedules.cpu import pointwise
from schedules.cpu.fetching_steps import FEWEST_STEPS
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.operators import operator
from schedules.cpu.phases import Phases, phases_of
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.prefetch import without_fetches
from schedules.cpu.prefetch_later import fetching_later, room
from schedules.frame import Frame
from schedules.machine import LINE
from tests.schedules import layers
from tests.schedules.fetches import fetches_in, values
from tests.schedules.layers import alone
from tests.schedules.running import AVX512, arguments_of, assert_same, called, run
from tests.schedules.test_overlap import joined, paired
from tests.schedules.test_phases import of_phases

# Pixels, width, channels between, groups, channels: as at the end of ShuffleNet, and smaller.
UNITS = [(7, 7, 128, 1, 384), (6, 5, 96, 3, 240)]


@pytest.mark.parametrize("sharing", ["strips", "pixels", "stages"])
@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_every_line_is_fetched(unit: Any, sharing: str) -> None:
    made = phases_of(_function(layers.unit(unit, AVX512, border=0), sharing))
    assert room(made) > 100 * LINE
    for lines in (1, 3, room(made) // LINE):
        half = -(-lines // 2)
        fetched = [one.ravel() for one in _lines(fetching_later(made, lines * LINE), half)]
        assert set(np.unique(np.concatenate(fetched)).tolist()) == set(range(2 * half))


def test_so_do_first_convolutions_by_tiles() -> None:
    """Both before the first step of a strip and in its steps."""
    kernel = joined(*paired((1, 32, 56, 24, 4, True), AVX512, 2))
    tiles = [operator(one.work).hand_tiles(one.work, AVX512, 4)[0] for one in kernel.stages]
    made = phases_of(scheduled(kernel, tiles, "strips"))
    lines = room(made) // LINE
    assert lines > 1
    half = -(-lines // 2)
    fetched = [one.ravel() for one in _lines(fetching_later(made, lines * LINE), half)]
    assert set(np.unique(np.concatenate(fetched)).tolist()) == set(range(2 * half))


@pytest.mark.parametrize("sharing", ["strips", "pixels"])
def test_the_first_turns_that_cores_share_fetch_the_first_half(sharing: str) -> None:
    made = phases_of(_function(layers.unit(UNITS[0], AVX512, border=0), sharing))
    fetching = fetching_later(made, room(made))
    half = -(-room(made) // LINE // 2)
    for (_, loops), lines in zip(_fetches(fetching), _lines(fetching, half), strict=True):
        (shared,) = (loop for loop in loops if loop.kind == tirx.ForKind.PARALLEL)
        (turns,) = values([shared.loop_var], loops)
        first, count = lines < half, int(shared.extent)
        assert first[turns < count // 2].all()
        assert not first[turns >= (count + 1) // 2].any()


@pytest.mark.parametrize("sharing", ["strips", "pixels"])
def test_what_fetches_for_others_computes_the_same(sharing: str) -> None:
    kernel = layers.unit(UNITS[1], AVX512, border=0)
    arguments = arguments_of(kernel)
    made = phases_of(_function(kernel, sharing))
    fetching = fetching_later(made, room(made))
    assert [phase.tensors[-3:] for phase in fetching.phases].count(_numbers(made)) > 0
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


def _numbers(made: Phases) -> tuple[int, ...]:
    """Those of where phases fetch, which come after all tensors."""
    first = len(made.parameters) + len(made.scratch)
    return tuple(range(first, first + 3))


def _lines(made: Phases, half: int) -> list[Any]:
    """Of every fetch the lines, by the turns of the loops around it; the other half follows after
    so many lines."""
    known = {"first_half": 0, "apart": half * LINE}
    return [values(place, loops, **known)[0] // LINE for place, loops in _fetches(made)]


def _fetches(made: Phases) -> list[tuple[Any, tuple[Any, ...]]]:
    """The place that every fetch for others names, and the loops around it."""
    return [one for phase in made.phases for one in fetches_in(phase.function.body, (), "later")]
