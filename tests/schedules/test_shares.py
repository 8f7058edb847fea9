"""Kernels whose pixels cores share compute what their programs do, on any number of threads."""

from collections.abc import Callable, Iterator

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


@pytest.fixture
def on_threads() -> Iterator[Callable[[int], None]]:
    configure = tvm.get_global_func("runtime.config_threadpool")
    yield lambda count: configure(BOUND_TO_CORES, count)
    configure(BOUND_TO_CORES, 1)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
@pytest.mark.parametrize("border", [0, 1])
@pytest.mark.parametrize("shape", UNITS, ids=str)
def test_shared_pixels_compute_the_same(
    shape: tuple[int, ...], border: int, machine: Machine, on_threads: Callable[[int], None]
) -> None:
    kernel = layers.unit(shape, machine, border)
    arguments = arguments_of(kernel)
    expected = run(program(kernel), kernel, arguments)
    shared = scheduled(kernel, layers.hand_tiles(kernel, machine), "pixels")
    # More threads than some of the shapes have rows, and all counts once.
    for threads in (1, 2, 3) if shape == UNITS[0] else (3,):
        on_threads(threads)
        assert_same(run(shared, kernel, arguments), expected)
