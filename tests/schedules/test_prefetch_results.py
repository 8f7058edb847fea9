"""A kernel fetches all lines of what a step will write, while it makes rows for itself."""

import numpy as np
import pytest
from tvm.tirx import PrimFunc

from schedules.cpu.depthwise import Depthwise
from schedules.cpu.fetching_steps import FEWEST_STEPS
from schedules.cpu.kernel import Kernel
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.operators import operator
from schedules.cpu.overlap import steps_of
from schedules.cpu.pointwise import Pointwise
from schedules.frame import Frame
from tests.schedules.fetches import elements, fetches_in, lines_of
from tests.schedules.running import AVX512
from tests.schedules.test_overlap import joined

STRIP_ROWS = 4


def _kernel(inputs: int, stride: int) -> Kernel:
    """A pointwise convolution whose rows each strip makes for itself, and a window over them."""
    between = Frame(1, 16, 24, 32)
    made = Frame(1, 16 // stride, 24 // stride, 32)
    first = Pointwise(Frame(1, 16, 24, inputs), between, 1, inputs, 32, 16)
    return joined(first, Depthwise(between, made, stride, 16))


def _function(kernel: Kernel) -> PrimFunc:
    stages = kernel.in_strips(STRIP_ROWS, steps_of(STRIP_ROWS)).stages
    tiles = [operator(one.work).hand_tiles(one.work, AVX512, STRIP_ROWS)[0] for one in stages]
    return scheduled(kernel, tiles, "strips")


@pytest.mark.parametrize("stride", [1, 2])
def test_every_line_that_a_step_writes_is_fetched_before_it(stride: int) -> None:
    kernel = _kernel(2 * FEWEST_STEPS, stride)
    function = _function(kernel)
    target = kernel.frames["out"]
    found = [
        elements(place, loops, target.shape)
        for place, loops in fetches_in(function.body, (), "out")
    ]
    assert found
    # The first axes count strips and steps, whose rows follow each other.
    strips, steps = target.rows // STRIP_ROWS, found[0].shape[1]
    rows = np.arange(np.prod(target.shape)).reshape(strips, steps, -1)
    for strip in range(strips):
        for step in range(steps):
            fetched = set().union(*(lines_of(one[strip, step]) for one in found))
            assert fetched == lines_of(rows[strip, step]), (strip, step)


def test_few_multiply_adds_leave_no_time_for_it() -> None:
    function = _function(_kernel(FEWEST_STEPS - 1, 1))
    assert not list(fetches_in(function.body, (), "out"))
