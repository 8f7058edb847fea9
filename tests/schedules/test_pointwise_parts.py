"""A convolution cut into parts computes all its channels, each once, also over what it adds."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.operators import operator
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_deep import PointwiseDeep, SpreadPointwiseDeep
from schedules.cpu.pointwise_lanes import PointwiseLanes
from schedules.cpu.pointwise_parts import Part, parts
from schedules.frame import Frame
from schedules.machine import Machine
from tests.schedules.running import (
    AVX512,
    MACHINES,
    NARROW_PAIRS,
    NEON,
    SEED,
    TOLERANCE,
    pixels,
    run,
)

# Groups, inputs and outputs of a group: those of ShuffleNets, primes, sizes around a vector.
LAYERS = [
    (3, 80, 20), (4, 68, 17), (2, 100, 25), (8, 48, 12), (1, 144, 36), (2, 200, 50), (4, 136, 34),
    (3, 8, 10), (1, 16, 1), (2, 6, 2), (3, 5, 3), (1, 7, 4), (2, 4, 5), (2, 8, 9), (1, 12, 30),
    (4, 17, 68), (2, 25, 100), (3, 20, 80), (1, 3, 7), (2, 24, 33),
]  # fmt: skip


def convolution(layer: tuple[int, int, int], machine: Machine, residual: bool) -> Pointwise:
    groups, inputs, outputs = layer
    source, target = Frame(2, 3, 11, groups * inputs), Frame(2, 3, 11, groups * outputs, 1)
    lanes, shuffle = machine.lanes_for(outputs), groups if residual else 1
    return Pointwise(
        source, target, groups, inputs, outputs, lanes, shuffle, 0, target if residual else None
    )


@pytest.mark.parametrize("residual", [False, True], ids=["fills", "updates"])
@pytest.mark.parametrize("machine", [*MACHINES, NARROW_PAIRS], ids=lambda machine: machine.name)
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_parts_make_what_pytorch_makes(
    layer: tuple[int, int, int], machine: Machine, residual: bool
) -> None:
    whole = convolution(layer, machine, residual)
    cut = parts(whole, machine)
    assert sum(part.macs for part in cut) == whole.macs
    reads = (("data", "data"), ("residual", "out"))[: 1 + residual]
    stages = tuple(Stage(f"s{n}", part, reads, "out") for n, part in enumerate(cut))
    kernel = Kernel(stages)
    assert kernel.updates == (["out"] if residual else [])
    arguments, expected = data(whole, cut)
    tiles = [operator(part).hand_tiles(part, machine, 2)[0] for part in cut]
    got = run(scheduled(kernel, tiles, "strips"), kernel, arguments)["out"]
    got = pixels(whole.target, got)
    assert np.abs(got - expected).max() <= TOLERANCE * np.abs(expected).max()


def data(whole: Pointwise, cut: tuple[Part, ...]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Arguments of the kernel, and what it should write."""
    print(f"seed {SEED}")
    rng = np.random.default_rng(SEED)
    source = rng.standard_normal(whole.source.shape, dtype="float32")
    weight = rng.standard_normal((whole.groups * whole.outputs, whole.inputs), dtype="float32")
    bias = rng.standard_normal(whole.groups * whole.outputs, dtype="float32")
    image = torch.from_numpy(pixels(whole.source, source).copy()).permute(0, 3, 1, 2)
    if whole.shuffle > 1:
        image = functional.channel_shuffle(image, whole.shuffle)
    kernel = torch.from_numpy(weight)[..., None, None]
    made = functional.conv2d(image, kernel, torch.from_numpy(bias), groups=whole.groups)
    expected = made.permute(0, 2, 3, 1).numpy()
    arguments = {"data": source}
    if whole.residual is not None:
        before = np.zeros(whole.target.shape, "float32")
        shape = pixels(whole.target, before).shape
        pixels(whole.target, before)[:] = rng.standard_normal(shape, dtype="float32")
        arguments["out"] = before
        expected = expected + pixels(whole.target, before)
    for number, part in enumerate(cut):
        packed = operator(part).pack(part, weight, bias)
        arguments |= {f"s{number}_{role}": array for role, array in packed.items()}
    return arguments, np.maximum(expected, 0)


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer[0] > 1], ids=str)
def test_parts_leave_their_channels_shuffled(layer: tuple[int, int, int]) -> None:
    groups, inputs, outputs = layer
    source, target = Frame(1, 3, 11, groups * inputs), Frame(1, 3, 11, groups * outputs, 1)
    lanes = NEON.lanes_for(outputs)
    whole = PointwiseLanes(source, target, groups, inputs, outputs, lanes, spread=groups)
    cut = parts(whole, NEON)
    if outputs in (17, 25, 50):
        assert isinstance(cut[-1], SpreadPointwiseDeep)
    kernel = Kernel(tuple(Stage(f"s{n}", p, (("data", "data"),), "out") for n, p in enumerate(cut)))
    arguments, expected = data(whole, cut)
    tiles = [operator(part).hand_tiles(part, NEON, 2)[0] for part in cut]
    got = pixels(target, run(scheduled(kernel, tiles, "strips"), kernel, arguments)["out"])
    unshuffled = got.reshape(*got.shape[:-1], outputs, groups).swapaxes(-1, -2)
    assert np.abs(unshuffled.reshape(got.shape) - expected).max() <= TOLERANCE * expected.max()


def test_channels_that_fill_no_vector_take_several_inputs_at_once() -> None:
    (deep,) = parts(convolution((3, 80, 20), AVX512, residual=False), AVX512)
    assert isinstance(deep, PointwiseDeep)
    assert (deep.depth, deep.vectors) == (4, 5)


def test_channels_left_over_from_whole_vectors_take_several_inputs_at_once() -> None:
    head, tail = parts(convolution((4, 136, 34), AVX512, residual=False), AVX512)
    assert isinstance(head, Pointwise)
    assert (head.lanes, head.channels) == (16, 32)
    assert isinstance(tail, PointwiseDeep)
    assert tail.count == 2


def test_no_vector_overlaps_another_where_the_result_replaces_an_addend() -> None:
    for machine in MACHINES:
        for layer in LAYERS:
            for part in parts(convolution(layer, machine, residual=True), machine):
                assert isinstance(part, Pointwise)
                assert part.channels % part.lanes == 0
