"""A tiny network to tune, and a log folder."""

from dataclasses import replace
from typing import Any, cast

import pytest

from pipeline.build import Lowered
from pipeline.passes.group_stages import group_stages
from pipeline.targets import Target, host
from schedules.cpu.kernel import Stage
from schedules.cpu.pointwise import Pointwise
from schedules.frame import Frame

SEED = 7


@pytest.fixture(scope="session")
def target() -> Target:
    """This machine with one core, as the others may be busy."""
    return replace(host(), machine=replace(host().machine, cores=1))


@pytest.fixture
def seed() -> int:
    print(f"seed {SEED}")
    return SEED


@pytest.fixture
def layer(target: Target) -> Lowered:
    """One grouped pointwise convolution of 4x5 pixels."""
    return lowered(pointwise(target, 3, (5, 20), (4, 5)))


def pointwise(
    target: Target, groups: int, channels: tuple[int, int], pixels: tuple[int, int]
) -> Pointwise:
    """A grouped 1x1 convolution from and to so many channels of a group."""
    inputs, outputs = channels
    source = Frame(1, *pixels, groups * inputs)
    made = Frame(1, *pixels, groups * outputs)
    lanes = target.machine.lanes_for(outputs)
    return Pointwise(source, made, groups, inputs, outputs, lanes)


def lowered(*works: Any) -> Lowered:
    """A network of unconnected operators, one kernel each."""
    calls = [
        call
        for number, work in enumerate(works)
        for call in group_stages(
            (Stage(f"layer{number}", work, (("data", f"x{number}"),), f"y{number}"),), f"y{number}"
        )
    ]
    return Lowered(cast(Any, None), cast(Any, None), tuple(calls))
