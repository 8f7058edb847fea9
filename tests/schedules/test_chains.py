"""Windows over windows: strips that make all rows under both compute what whole frames do."""

import re
from dataclasses import replace

import numpy as np
import pytest
import tvm
from tvm import s_tir

from schedules.cpu.depthwise import Depthwise
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.halo import Ring
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.operators import operator
from schedules.cpu.overlap import overlapping, steps_of
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_lanes import PointwiseLanes
from schedules.cpu.tiles import hand_tile
from schedules.frame import Frame, Planes
from schedules.machine import PAGE, Machine
from tests.schedules.running import MACHINES, arguments_of, assert_same, run

# Whether the first convolution is in the kernel, then height, width, channels and outputs, and the
# strides of both windows.
CHAINS = [
    (True, 24, 20, 16, 32, (1, 2)),
    (True, 9, 7, 3, 17, (1, 1)),
    (False, 24, 20, 32, 40, (1, 2)),
    (False, 16, 5, 8, 1, (2, 1)),
    (False, 13, 6, 17, 16, (2, 2)),
]
ALLOCATED = re.compile(r"_sum\w* = T\.sblock_alloc_buffer\(\((.*?)\)")
Chain = tuple[bool, int, int, int, int, tuple[int, int]]


def stages_of(chain: Chain, machine: Machine) -> list[Stage]:
    """Convolution if there is one, window, pointwise, window; rows of each from the one before."""
    begins, height, width, channels, outputs, (first, second) = chain
    size = (height, width)
    made = [Frame(1, *size, channels)]
    for stride, count in ((first, channels), (1, outputs), (second, outputs)):
        size = ((size[0] - 1) // stride + 1, (size[1] - 1) // stride + 1)
        made.append(Frame(1, *size, count))
    lanes = [machine.lanes_for(count) for count in (channels, outputs)]
    kind = PointwiseLanes if machine.lane_factor else Pointwise
    image = Planes(1, 3, 2 * height - 1, 2 * width)
    stages = [
        Stage("convolution", FirstConvolution(image, made[0], 2, lanes[0]), (("data", "i"),), "a"),
        Stage("upper", Depthwise(made[0], made[1], first, lanes[0]), (("data", "a"),), "b"),
        Stage(
            "product",
            kind(made[1], made[2], 1, channels, outputs, lanes[1]),
            (("data", "b"),),
            "c",
        ),
        Stage(
            "lower", Depthwise(made[2], made[3], second, lanes[1], "relu"), (("data", "c"),), "d"
        ),
    ]
    return stages if begins else stages[1:]


def joined(stages: list[Stage]) -> Kernel:
    """All in one kernel, which alone sees what lies between."""
    return Kernel(tuple(stages), tuple(stage.writes for stage in stages[:-1]))


def apart(stages: list[Stage], arguments: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The result of each stage in a kernel of its own."""
    tensors = dict(arguments)
    for stage in stages:
        kernel = Kernel((stage,))
        own = {name: tensors[name] for name in (*kernel.inputs, *stage.constants)}
        tensors |= run(program(kernel), kernel, own)
    return {stages[-1].writes: tensors[stages[-1].writes]}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_windows_over_windows_compute_the_same(chain: Chain, machine: Machine) -> None:
    stages = stages_of(chain, machine)
    kernel = joined(stages)
    arguments = arguments_of(kernel)
    expected = apart(stages, arguments)
    assert not np.isnan(expected["d"]).any()
    assert_same(run(program(kernel), kernel, arguments), expected)
    rows = kernel.rows
    for height in [height for height in (1, 2, 3, rows) if rows % height == 0]:
        tiles = [operator(s.work).hand_tiles(s.work, machine, height)[0] for s in kernel.stages]
        assert_same(run(scheduled(kernel, tiles, "strips"), kernel, arguments), expected)


def test_a_ring_keeps_what_the_windows_of_a_step_reach() -> None:
    machine = MACHINES[0]
    kernel = joined(stages_of(CHAINS[0], machine))
    stages = overlapping(kernel.stages, kernel.scratch, 6, steps_of(6))
    frames = replace(kernel, stages=stages).frames
    kept = {name: f.halo.kept for name, f in frames.items() if isinstance(f, Ring)}
    made = {name: (f.halo.first, f.halo.rows) for name, f in frames.items() if isinstance(f, Ring)}
    # Two rows of the result are under 5 rows of c; its 4 new ones are under 6 of a.
    assert kept == {"a": 6, "b": 4, "c": 5}
    assert made == {"a": (-2, 15), "b": (-1, 13), "c": (-1, 13)}


def test_rows_that_strips_go_through_again_and_again_lie_a_page_apart() -> None:
    machine = MACHINES[0]
    kernel = joined(stages_of(CHAINS[2], machine))
    rows = 3
    steps = steps_of(rows)
    ring = kernel.in_strips(rows, steps).frames["c"]
    assert isinstance(ring, Ring)
    row_bytes = ring.bytes // ring.shape[0]
    strips = kernel.rows // rows
    assert ring.shape[0] == strips * ring.halo.held
    assert ring.halo.apart * row_bytes >= PAGE > (ring.halo.apart - 1) * row_bytes
    starts = [int(ring.at(strip * ring.halo.rows, 0, 0)[0]) for strip in range(strips)]
    assert starts == [strip * ring.halo.held for strip in range(strips)]
    assert {int(ring.at(row, 0, 0)[0]) for row in range(ring.halo.rows)} == set(range(3))


def test_windows_that_reach_different_rows_are_refused() -> None:
    stages = stages_of(CHAINS[0], MACHINES[0])
    other = Depthwise(stages[-1].work.source, stages[-1].work.target, 1, 8)
    kernel = joined([*stages, Stage("other", other, (("data", "c"),), "e")])
    with pytest.raises(ValueError, match="c is read by windows"):
        overlapping(kernel.stages, kernel.scratch, 6, 3)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_no_sums_outlive_their_tile(chain: Chain, machine: Machine) -> None:
    """Sums that need more than the registers are in memory, and so is every addition to them."""
    kernel = joined(stages_of(chain, machine))
    tile = hand_tile(kernel, machine)
    sizes = _sums(scheduled(kernel, tile.stages, tile.sharing))
    assert sizes
    assert max(sizes) <= machine.registers * machine.lanes


def _sums(function: tvm.tirx.PrimFunc) -> list[int]:
    """Values of each buffer of sums where the compiler allocates it."""
    passes = [
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
        s_tir.transform.CompactBufferAllocation(),
    ]
    module = tvm.transform.Sequential(passes)(tvm.IRModule({"main": function}))
    shapes = ALLOCATED.findall(module.script())
    return [int(np.prod([int(extent) for extent in shape.split(",")])) for shape in shapes]
