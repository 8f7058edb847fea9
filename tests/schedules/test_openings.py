"""1x1 convolutions in strips under the windows over them compute what they do on whole frames."""

from dataclasses import replace

import numpy as np
import pytest
from tvm import tirx
from tvm.sym.analyzer import Analyzer

from schedules.cpu.depthwise import Depthwise
from schedules.cpu.halo import Reread
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.operators import operator
from schedules.cpu.overlap import steps_of
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_deep import PointwiseDeep
from schedules.cpu.pointwise_lanes import PointwiseLanes
from schedules.cpu.pointwise_parts import parts
from schedules.cpu.pointwise_uneven import PointwiseUneven
from schedules.cpu.pool import Pool
from schedules.cpu.tiles import fits, hand_tile, strip_choices
from schedules.frame import Frame
from schedules.machine import Machine
from tests.schedules.running import MACHINES, NARROW_PAIRS, arguments_of, assert_same, run

# Height, width, inputs and outputs of the 1x1 convolution, and the stride of the windows.
LAYERS = [
    (24, 20, 24, 60, 2),
    (16, 9, 24, 36, 2),
    (13, 7, 12, 50, 2),
    (9, 8, 24, 68, 1),
    (7, 5, 3, 17, 1),
    (8, 4, 1, 1, 2),
]
EVERY = [*MACHINES, NARROW_PAIRS]
# Stages of a convolution of one part, and of the windows.
FEWEST = 3
Layer = tuple[int, int, int, int, int]


def stages_of(layer: Layer, machine: Machine) -> list[Stage]:
    """The convolution in its parts, a depthwise one over it, and a pool over what it reads."""
    height, width, inputs, outputs, stride = layer
    size = (height - 1) // stride + 1, (width - 1) // stride + 1
    source, between = (Frame(1, height, width, channels) for channels in (inputs, outputs))
    kind = PointwiseLanes if machine.lane_factor else Pointwise
    whole = kind(source, between, 1, inputs, outputs, machine.lanes_for(outputs))
    over = Depthwise(between, Frame(1, *size, outputs), stride, machine.lanes_for(outputs), "none")
    pool = Pool(source, Frame(1, *size, inputs), "average", stride, machine.lanes_for(inputs))
    made = [
        Stage(f"part{number}", part, (("data", "x"),), "a")
        for number, part in enumerate(parts(whole, machine))
    ]
    depthwise = Stage("depthwise", over, (("data", "a"),), "b")
    return [*made, depthwise, Stage("pool", pool, (("data", "x"),), "c")]


def apart(stages: list[Stage], arguments: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The results where the convolution and the windows are kernels of their own."""
    tensors = dict(arguments)
    for stage in stages:
        kernel = Kernel((stage,))
        own = {name: tensors[name] for name in (*kernel.inputs, *stage.constants)}
        made = run(program(kernel), kernel, own)
        for name, array in made.items():
            # Each part leaves the channels of the others as they were.
            known = tensors.get(name, array)
            tensors[name] = np.where(np.isnan(array), known, array)
    return {name: tensors[name] for name in ("b", "c")}


@pytest.mark.parametrize("machine", EVERY, ids=lambda machine: machine.name)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_every_strip_height_computes_the_same(layer: Layer, machine: Machine) -> None:
    stages = stages_of(layer, machine)
    kernel = Kernel(tuple(stages), ("a",))
    assert kernel.overlaps
    arguments = arguments_of(kernel)
    expected = apart(stages, arguments)
    assert not any(np.isnan(one).any() for one in expected.values())
    if len(stages) == FEWEST:
        # Of several parts some write vectors and some single values, which nobody compiles as is.
        assert_same(run(program(kernel), kernel, arguments), expected)
    for height in (1, 2, 3, 4, kernel.rows):
        if fits(kernel, height, "strips"):
            tiles = [operator(s.work).hand_tiles(s.work, machine, height)[0] for s in stages]
            assert_same(run(scheduled(kernel, tiles, "strips"), kernel, arguments), expected)


def test_every_kind_of_part_is_among_them() -> None:
    kinds = {
        type(stage.work)
        for machine in EVERY
        for layer in LAYERS
        for stage in stages_of(layer, machine)
    }
    assert kinds >= {Pointwise, PointwiseDeep, PointwiseLanes, PointwiseUneven}


def test_rows_are_read_again_where_strips_meet_and_none_outside_the_image() -> None:
    kernel = Kernel(tuple(stages_of(LAYERS[0], MACHINES[0])), ("a",))
    read = kernel.in_strips(6, steps_of(6)).stages[0].work.source
    assert isinstance(read, Reread)
    rows = [
        int(Analyzer().simplify(read.at(tirx.IntImm("int32", row), 0, 0)[0])) for row in range(26)
    ]
    assert rows == [0, *range(12), *range(11, 24)]


def test_strips_are_what_cores_share_and_no_lower_for_one_core() -> None:
    for machine in EVERY:
        kernel = Kernel(tuple(stages_of(LAYERS[0], machine)), ("a",))
        by_hand = hand_tile(kernel, machine)
        one_core = hand_tile(kernel, replace(machine, cores=1))
        assert kernel.rows % by_hand.strip_rows == 0
        assert one_core.strip_rows >= by_hand.strip_rows
        assert {sharing for _, sharing in strip_choices(kernel, machine)} == {"strips"}
