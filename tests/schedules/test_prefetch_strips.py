"""Strips fetch all lines that the next one adds of tensors that are far, and compute the same."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.operators import operator
from schedules.cpu.phases import Phases, phases_of
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pool import Pool, SizedPool
from schedules.cpu.prefetch import without_fetches
from schedules.cpu.prefetch_windows import FAR_BYTES
from schedules.frame import Frame
from tests.schedules import layers
from tests.schedules.fetches import elements, fetches_in, lines_of
from tests.schedules.running import AVX512, arguments_of, assert_same, called, run
from tests.schedules.test_phases import of_phases

# Height, width, channels between, groups, channels: the last tensor is far with 2 groups.
UNIT = (6, 40, 64, 2, 600)
# Elements by which the share of a tile may end late: one for each of its steps at most.
STEPS = 600


def _scheduled(kernel: Kernel, rows: int = 1) -> Any:
    tiles = [operator(one.work).hand_tiles(one.work, AVX512, rows)[0] for one in kernel.stages]
    return scheduled(kernel, tiles, "strips")


def _pooled(pool: Pool) -> Kernel:
    """A pool, and a convolution of what it makes."""
    made = pool.target
    work = Pointwise(made, Frame(1, made.height, made.width, 256), 1, made.channels, 256, 16)
    stages = (
        Stage("pool", pool, (("data", "a"),), "b"),
        Stage("pointwise", work, (("data", "b"),), "c"),
    )
    return Kernel(stages, ("b",))


def _fetched(made: Phases, name: str, cores: int) -> Iterator[tuple[int, int, Any]]:
    """The core, the strip, and the elements of a tensor that are fetched in it."""
    (tensor,) = (one for one in made.parameters if one.name == name)
    shape = tuple(int(extent) for extent in tensor.shape)
    (phase,) = (one for one in made.phases if list(fetches_in(one.function.body, (), name)))
    found = list(fetches_in(phase.function.body, (), name))
    strips = int(found[0][1][0].extent)
    for strip in range(strips):
        core = strip // -(-strips // cores)
        known = {"core": core, "cores": cores}
        places = [elements(place, loops, shape, **known)[strip] for place, loops in found]
        yield core, strip, np.concatenate([one.ravel() for one in places])


@pytest.mark.parametrize("cores", [1, 2])
def test_every_line_of_a_residual_is_fetched_in_the_strip_before(cores: int) -> None:
    kernel = layers.unit(UNIT, AVX512, border=0)
    frame = kernel.frames["c"]
    assert frame.bytes > FAR_BYTES
    height, row = frame.shape[0], frame.shape[1] * frame.shape[2]
    for core, strip, places in _fetched(phases_of(_scheduled(kernel)), "c", cores):
        last = (core + 1) * (height // cores) - 1
        begin = min(strip + 1, last) * row
        assert lines_of(places) >= lines_of(range(begin, begin + row)), strip
        # Nothing of another core's rows, but for what a share may end late by.
        assert places.min() >= begin
        assert places.max() < begin + row + STEPS


@pytest.mark.parametrize(
    ("kind", "window"), [(Pool, {}), (SizedPool, {"kernel": 2}), (SizedPool, {"kernel": 3})]
)
def test_of_what_windows_read_it_is_the_rows_that_are_new(kind: Any, window: Any) -> None:
    """Of three rows under a window of stride 2 the first was under the one before it, too."""
    source, made = Frame(1, 12, 96, 320), Frame(1, 6, 48, 320)
    assert source.bytes > FAR_BYTES
    pool = kind(source, made, "average", 2, 16, **window)
    kernel, padding = pool.window
    row = source.shape[1] * source.shape[2]
    for _, strip, places in _fetched(phases_of(_scheduled(_pooled(pool))), "a", 1):
        read = (strip + 1) * 2 - padding + np.arange(kernel)
        new = [one for one in read if strip < 5 and one >= (strip * 2 - padding + kernel)]
        for one in new:
            assert lines_of(places) >= lines_of(range(one * row, (one + 1) * row)), (strip, one)


def test_near_tensors_are_not_fetched() -> None:
    height, width, inputs, groups, outputs = UNIT
    kernel = layers.unit((height, width // 2, inputs, groups, outputs), AVX512, border=0)
    made = phases_of(_scheduled(kernel))
    assert not [one for phase in made.phases for one in fetches_in(phase.function.body, (), "c")]


def test_it_can_be_left_out() -> None:
    made = phases_of(without_fetches(_scheduled(layers.unit(UNIT, AVX512, border=0))))
    assert not [one for phase in made.phases for one in fetches_in(phase.function.body, (), "c")]


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_what_fetches_computes_the_same(cores: int) -> None:
    kernel = layers.unit(UNIT, AVX512, border=0)
    arguments = arguments_of(kernel)
    function = of_phases(phases_of(_scheduled(kernel)), range(cores), cores)
    assert_same(called(function, kernel, arguments), run(program(kernel), kernel, arguments))
