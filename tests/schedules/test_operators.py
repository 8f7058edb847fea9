"""Every operator's program computes what PyTorch computes, and every schedule what it computes."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from schedules.cpu.adaptive_pool import AdaptivePool
from schedules.cpu.convolution import Convolution
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.first_convolution_paired import PairedFirstConvolution
from schedules.cpu.kernel import Kernel
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.mean import Mean
from schedules.cpu.normalisation import Normalisation
from schedules.cpu.operators import Work, operator
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pool import Pool
from schedules.cpu.row_pool import RowPool
from schedules.machine import Machine
from tests.schedules import layers
from tests.schedules.running import (
    MACHINES,
    SEED,
    TOLERANCE,
    Array,
    arguments_of,
    assert_same,
    pixels,
    run,
    weights_of,
)


def works(machine: Machine) -> list[Work]:
    made: list[Work] = [layers.pointwise(layer, machine) for layer in layers.POINTWISE]
    if machine.lane_factor:
        made += [layers.lanes(layer, machine) for layer in layers.POINTWISE]
    made += [work for layer in layers.WINDOWS for work in layers.windowed(layer, machine)]
    made += [work for layer in layers.FRAMES for work in layers.whole(layer, machine)]
    made += [layers.first(layer, machine) for layer in layers.IMAGES]
    made += [layers.first_deep(layer, machine) for layer in layers.EVEN_IMAGES]
    made += [layers.first_paired(layer, machine) for layer in layers.PAIRED_IMAGES]
    made += [layers.row_pool(layer, machine) for layer in layers.FRAMES]
    made += [layers.convolution(layer, machine) for layer in layers.CONVOLUTIONS]
    made += [layers.sized_pool(layer, machine) for layer in layers.POOLS]
    made += [layers.sized_first(layer, machine) for layer in layers.LARGE_WINDOWS]
    made += [layers.adaptive(layer, machine) for layer in layers.AVERAGED]
    made += [layers.normalised(layer, machine) for layer in layers.NORMALISED]
    return made


CASES = [
    pytest.param(machine, work, id=f"{machine.name}-{number}-{type(work).__name__}")
    for machine in MACHINES
    for number, work in enumerate(works(machine))
]


@pytest.mark.parametrize(("machine", "work"), CASES)
def test_hand_tile_computes_what_pytorch_computes(machine: Machine, work: Work) -> None:
    kernel = layers.alone(work)
    arguments = arguments_of(kernel)
    rows = work.target.rows
    for strip_rows in sorted({1, min(2, rows), rows}):
        tiles = [operator(s.work).hand_tiles(s.work, machine, strip_rows)[0] for s in kernel.stages]
        out = run(scheduled(kernel, tiles, "strips"), kernel, arguments)["out"]
        expected = by_pytorch(kernel, arguments)
        got = pixels(work.target, out)[..., getattr(work, "offset", 0) :]
        scale = max(float(np.abs(expected).max()), 1e-30)
        assert np.abs(got - expected).max() <= TOLERANCE * scale
        left = np.isnan(out).sum()
        spared = out[..., 0].size * work.target.spare
        assert left == work.target.pixels * getattr(work, "offset", 0) + spared


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_schedule_computes_what_the_program_computes_with_every_tile(machine: Machine) -> None:
    rng = np.random.default_rng(SEED)
    chosen = [works(machine)[index] for index in rng.permutation(len(works(machine)))[:8]]
    for work in chosen:
        kernel = layers.alone(work)
        arguments = arguments_of(kernel)
        reference = run(program(kernel), kernel, arguments)
        module = operator(work)
        fitting = module.tiles_that_fit(work, machine)
        for index in rng.permutation(len(fitting))[:3]:
            strip_rows = int(rng.integers(1, work.target.rows + 1))
            tile = (
                module.Tile(1, *fitting[index])
                if isinstance(work, Mean)
                else module.Tile(strip_rows, *fitting[index])
            )
            tiles = [tile] * len(kernel.stages)
            assert_same(run(scheduled(kernel, tiles, "stages"), kernel, arguments), reference)


@pytest.mark.parametrize("layer", layers.PAIRED_IMAGES)
def test_pairs_take_25_multiply_adds_for_36(layer: tuple[int, ...]) -> None:
    work = layers.first_paired(layer, MACHINES[0])
    images, height, width, channels, *_ = layer
    assert work.macs == images * height // 2 * width // 2 * channels * 27
    assert work.multiplies * 36 == work.macs * 25


def by_pytorch(kernel: Kernel, arguments: dict[str, Array]) -> Array:
    """The result of the kernel's only operator, [images, height, width, channels]."""
    work, name = kernel.stages[-1].work, kernel.stages[-1].name
    data = torch.from_numpy(pixels(work.source, arguments["data"]).copy())
    rng = np.random.default_rng(SEED)
    for tensor in kernel.inputs:  # the same draws as those that made the arguments
        rng.standard_normal(pixels(kernel.frames[tensor], arguments[tensor]).shape)
    weights = weights_of(kernel, rng).get(name)
    if isinstance(work, FirstConvolution):
        _, padding = work.window
        made = functional.conv2d(data, *map(torch.from_numpy, weights), work.stride, padding)
        if isinstance(work, PairedFirstConvolution) and work.pooled:
            made = functional.max_pool2d(made, (1, 3), (1, 2), (0, 1))
    else:
        made = _by_pytorch(work, data.permute(0, 3, 1, 2), weights)
    if "gate" in arguments:
        made = made * torch.from_numpy(pixels(work.gate, arguments["gate"]).copy()).permute(
            0, 3, 1, 2
        )
    if "residual" in arguments:
        residual = pixels(work.residual, arguments["residual"]).copy()
        made = made + torch.from_numpy(residual).permute(0, 3, 1, 2)
    if getattr(work, "activation", "none") == "relu":
        made = torch.relu(made)
    return made.permute(0, 2, 3, 1).numpy()


def _by_pytorch(
    work: Work, data: torch.Tensor, weights: tuple[Array, Array] | None
) -> torch.Tensor:
    if isinstance(work, Pointwise):
        weight, bias = map(torch.from_numpy, weights)
        shuffled = functional.channel_shuffle(data, work.shuffle) if work.shuffle > 1 else data
        made = functional.conv2d(shuffled, weight[..., None, None], bias, groups=work.groups)
        spread = getattr(work, "spread", 1)
        return functional.channel_shuffle(made, spread) if spread > 1 else made
    if isinstance(work, Depthwise):
        weight, bias = map(torch.from_numpy, weights)
        return functional.conv2d(data, weight[:, None], bias, work.stride, 1, 1, data.shape[1])
    if isinstance(work, RowPool):
        return functional.max_pool2d(functional.pad(data, (0, 0, 1, 1)), (3, 1), (2, 1))
    if isinstance(work, Pool):
        if work.kind == "average":
            return functional.avg_pool2d(data, 3, work.stride, 1)
        # A maximum is served after a ReLU; of signed data it is that of the positive values.
        kernel, padding = work.window
        size = work.target.height, work.target.width
        rounded = (data.shape[2] + 2 * padding - kernel) // work.stride + 1 < size[0]
        rounded |= (data.shape[3] + 2 * padding - kernel) // work.stride + 1 < size[1]
        return functional.max_pool2d(
            data.clamp(min=0), kernel, work.stride, padding, ceil_mode=rounded
        )
    if isinstance(work, Convolution):
        weight, bias = map(torch.from_numpy, weights)
        return functional.conv2d(data, weight, bias, work.stride, work.padding, 1, work.groups)
    if isinstance(work, AdaptivePool):
        return functional.adaptive_avg_pool2d(data, (work.target.height, work.target.width))
    if isinstance(work, Normalisation):
        return functional.local_response_norm(data, work.size, work.alpha, 0.75, work.bias)
    if isinstance(work, Mean):
        return data.mean((2, 3), keepdim=True)
    return data
