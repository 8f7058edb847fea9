"""Kernels whose pixels cores share compute what their programs do, on any number of threads."""

from collections.abc import Iterator

import pytest
import tvm

from schedules.cpu.kernel_function import program, scheduled
from schedules.machine import Machine
from tests.schedules import layers
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


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
@pytest.mark.parametrize("border", [0, 1])
@pytest.mark.parametrize("shape", UNITS, ids=str)
def test_shared_pixels_compute_the_same(
    shape: tuple[int, ...], border: int, machine: Machine, threads: int
) -> None:
    kernel = layers.unit(shape, machine, border)
    arguments = arguments_of(kernel)
    expected = run(program(kernel), kernel, arguments)
    assert_same(
        run(scheduled(kernel, layers.hand_tiles(kernel, machine), "pixels"), kernel, arguments),
        expected,
    )
