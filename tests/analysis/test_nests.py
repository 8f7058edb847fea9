"""The loops of a function make the multiply-adds of its kernel, however cores share it."""

from typing import get_args

import pytest

from pipeline.analysis.nests import nests_of
from pipeline.targets import host
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.sharing import Sharing
from tests.schedules import layers


@pytest.mark.parametrize("sharing", get_args(Sharing))
@pytest.mark.parametrize("size", [(7, 7), (5, 3)], ids=str)
def test_loops_make_all_multiply_adds(size: tuple[int, int], sharing: Sharing) -> None:
    machine = host().machine
    kernel = layers.unit((*size, 32, 2, 64), machine, border=0)
    tiles = layers.hand_tiles(kernel, machine)
    nests = nests_of(scheduled(kernel, tiles, sharing), host())
    assert sum(nest.runs * nest.macs for nest in nests) == kernel.macs
