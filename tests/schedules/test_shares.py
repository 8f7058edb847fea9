"""Kernels whose pixels cores share compute what their programs do, on any number of threads."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
import tvm

from schedules.cpu.kernel_function import program, scheduled
from schedules.machine import Machine
from tests.schedules import layers
from tests.schedules.running import MACHINES, Array, arguments_of, assert_same, run, run_often

# Height, width, channels of a group, groups, outputs of a group.
UNITS = [
    (7, 7, 20, 3, 80),
    (5, 3, 16, 1, 17),
    (2, 2, 8, 2, 16),
    (1, 7, 4, 3, 8),
    (1, 1, 16, 1, 1),
]
# A thread that does not wait for the others may still come in time, so each kernel runs so often.
TIMES = 20

Outputs = dict[str, Array]


@pytest.fixture(scope="module", params=[1, 2])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Callable[..., list[Outputs]]]:
    """`computed` in a process of so many threads: one that has begun with fewer keeps to those."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TVM_NUM_THREADS", str(request.param))
        pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        with pool:
            # TVM makes no more threads than there are cores.
            assert pool.submit(threads).result() == min(request.param, os.cpu_count() or 1)
            yield lambda *words: pool.submit(computed, *words).result()


def threads() -> int:
    return int(tvm.get_global_func("runtime.NumThreads")())


def computed(shape: tuple[int, ...], border: int, machine: Machine) -> list[Outputs]:
    """What the program of a unit computes, and then its schedule, many times."""
    kernel = layers.unit(shape, machine, border)
    arguments = arguments_of(kernel)
    shared = scheduled(kernel, layers.hand_tiles(kernel, machine), "pixels")
    return [
        run(program(kernel), kernel, arguments),
        *run_often(shared, kernel, arguments, TIMES),
    ]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
@pytest.mark.parametrize("border", [0, 1])
@pytest.mark.parametrize("shape", UNITS, ids=str)
def test_shared_pixels_compute_the_same(
    shape: tuple[int, ...],
    border: int,
    machine: Machine,
    elsewhere: Callable[..., list[Outputs]],
) -> None:
    expected, *found = elsewhere(shape, border, machine)
    assert len(found) == TIMES
    for one in found:
        assert_same(one, expected)
