"""Kernels whose pixels cores share compute what their programs do, on any number of threads."""

from collections.abc import Iterator
from typing import Any

import pytest
import tvm

from schedules.cpu.border import Border
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.operators import operator
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_lanes import PointwiseLanes
from schedules.frame import Frame
from schedules.machine import Machine
from tests.schedules.running import MACHINES, arguments_of, assert_same, run

# Height, width, channels of a group, groups, outputs of a group.
UNITS = [
    (7, 7, 20, 3, 80),
    (5, 3, 16, 1, 17),
    (2, 2, 8, 2, 16),
    (1, 7, 4, 3, 8),
    (1, 1, 16, 1, 1),
]
BOUND_TO_CORES = 1


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    configure = tvm.get_global_func("runtime.config_threadpool")
    configure(BOUND_TO_CORES, request.param)
    yield request.param
    configure(BOUND_TO_CORES, 1)


def unit(shape: tuple[int, ...], machine: Machine, border: int) -> Kernel:
    """Depthwise, expansion over what it is added to, a pass over that, and the next reduction."""
    height, width, inputs, groups, outputs = shape
    under = Frame(1, height, width, inputs * groups, 1)
    between = Frame(1, height, width, inputs * groups)
    wide = Frame(1, height, width, outputs * groups, border)
    narrow = Frame(1, height, width, inputs * groups, 1)
    kind = PointwiseLanes if machine.lane_factor else Pointwise
    lanes = machine.lanes_for(inputs * groups)
    each = machine.lanes_for(outputs)
    stages = (
        Stage("window", Depthwise(under, between, 1, lanes, "none"), (("data", "a"),), "b"),
        Stage(
            "expand",
            kind(between, wide, groups, inputs, outputs, each, residual=wide),
            (("data", "b"), ("residual", "c")),
            "c",
        ),
        Stage(
            "reduce",
            kind(wide, narrow, groups, outputs, inputs, machine.lanes_for(inputs)),
            (("data", "c"),),
            "d",
        ),
    )
    return Kernel((Stage("border", Border(narrow), (), "d"), *stages), ("b",))


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
@pytest.mark.parametrize("border", [0, 1])
@pytest.mark.parametrize("shape", UNITS, ids=str)
def test_shared_pixels_compute_the_same(
    shape: tuple[int, ...], border: int, machine: Machine, threads: int
) -> None:
    kernel = unit(shape, machine, border)
    arguments = arguments_of(kernel)
    expected = run(program(kernel), kernel, arguments)
    assert_same(
        run(scheduled(kernel, hand(kernel, machine), "pixels"), kernel, arguments), expected
    )


def hand(kernel: Kernel, machine: Machine) -> list[Any]:
    return [operator(s.work).hand_tiles(s.work, machine, kernel.rows)[0] for s in kernel.stages]
