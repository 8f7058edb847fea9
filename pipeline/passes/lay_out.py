"""Choosing the layout of a network for a CPU: channels last, vectors of channels, packed weights.

A tensor that a dense or grouped convolution of more than one pixel reads gets a border of zeros, so
that its windows need no condition: as wide as the widest padding, and as what a window reaches over
the edge. All others get none: most kernels read and write them as one row of pixels.
Weights and all tensors within are of the type of the arithmetic; the image comes and the result
goes as float32, whatever that is, so that who calls a network need not know it.
"""

from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import numpy as np

from pipeline.operators import Network, Operator
from schedules.cpu import (
    adaptive_pool,
    channelwise,
    convolution,
    depthwise,
    first_convolution,
    first_convolution_deep,
    mean,
    normalisation,
    pointwise,
    pointwise_lanes,
    pool,
    row_pool,
    scale,
)
from schedules.cpu.first_convolution_paired import PairedFirstConvolution, columns_of
from schedules.cpu.kernel import Stage
from schedules.cpu.operators import Work, operator
from schedules.cpu.pointwise_parts import parts
from schedules.frame import Frame, Planes
from schedules.machine import LINE, Machine

# Of the image and the result.
EDGE = "float32"
COMMON_WINDOW = ((3, 3), 1)
# Sets of a first-level cache whose ways are pages of 4 KB, and the most of them that may be one for
# what pixels have in common: with fewer a line more is measured to pay.
SETS = 64
MOST_SHARED = 8


@dataclass(frozen=True)
class Layout:
    """Stages in order, every frame, and the packed constants by `<stage>_<role>`."""

    stages: tuple[Stage, ...]
    frames: dict[str, Frame | Planes]
    constants: dict[str, np.ndarray]


def lay_out(network: Network, machine: Machine, dtype: str) -> Layout:
    """The workload, the frames and the packed constants of every operator.

    `machine` counts values of `dtype`.
    """
    frames = _frames(network, dtype)
    pooled = _pooled(network, frames, machine)
    frames |= {network.operators[at].writes: work.target for at, work in pooled.items()}
    stages: list[Stage] = []
    constants: dict[str, np.ndarray] = {}
    for number, step in enumerate(network.operators):
        works = _works(step, frames, machine, dtype) if number not in pooled else (pooled[number],)
        for part, work in enumerate(works):
            name = f"{step.kind}{number}_{part}"
            stage = Stage(name, work, _reads(step), step.writes)
            stages.append(stage)
            if step.weight is not None:
                packed = operator(work).pack(work, step.weight, step.bias)
                for role, array in packed.items():
                    constants[f"{name}_{role}"] = array.astype(stage.constant_dtype)
    return Layout(tuple(stages), frames, constants)


def _frames(network: Network, dtype: str) -> dict[str, Frame | Planes]:
    borders: dict[str, int] = {}
    for step in network.operators:
        borders[step.data] = max(borders.get(step.data, 0), _border(step, network))
    frames: dict[str, Frame | Planes] = {
        network.source: Planes(*network.shapes[network.source], EDGE)
    }
    for step in network.operators:
        images, channels, height, width = network.shapes[step.writes]
        border = borders.get(step.writes, 0)
        kind = EDGE if step.writes == network.result else dtype
        spare = _spare(channels, kind) if height * width > 1 else 0
        frames[step.writes] = Frame(images, height, width, channels, border, kind, spare)
    return frames


def _pooled(
    network: Network, frames: dict[str, Any], machine: Machine
) -> dict[int, PairedFirstConvolution | row_pool.RowPool]:
    """The workloads, by their operators' numbers, of first convolutions that take the maximum over
    columns of the pool after them, and of that over rows."""
    made: dict[int, PairedFirstConvolution | row_pool.RowPool] = {}
    for number, step in enumerate(network.operators):
        readers = [at for at, one in enumerate(network.operators) if step.writes in _names(one)]
        if step.kind != "first_convolution" or len(readers) != 1:
            continue
        work, after = _work(step, frames, machine), network.operators[readers[0]]
        if not isinstance(work, PairedFirstConvolution) or not _is_common(after):
            continue
        pools = work.activation == "relu" and after.kind == "max_pool"
        if pools and after.stride == work.stride:
            target = replace(work.target, width=frames[after.writes].width)
            made[number] = replace(work, target=target, pooled=True)
            rows = _work(after, frames | {step.writes: target}, machine)
            made[readers[0]] = row_pool.RowPool(**vars(rows))
    return made


def _names(step: Operator) -> list[str]:
    return [name for _, name in _reads(step)]


def _spare(channels: int, dtype: str) -> int:
    """A line left out after each pixel, if it takes so many that few sets of a cache have them.

    A window reads the same channels of pixels that lie next to and above each other. Of 512
    channels of float32 the first lines of all pixels are in two sets, which hold 16 of them.
    Measured on Zen 4, one thread: a depthwise convolution of 512 channels of 14x14 pixels takes 46
    us without the line and 30 us with it; with the pointwise one behind it 1186 and 1177 us.
    """
    size = np.dtype(dtype).itemsize
    lines, rest = divmod(channels * size, LINE)
    return LINE // size if rest == 0 and lines and gcd(lines, SETS) >= MOST_SHARED else 0


def _border(step: Operator, network: Network) -> int:
    """The zeros that the windows of an operator reach round what it reads."""
    if step.kind != "convolution":
        return 0
    before, after = network.shapes[step.data][2:], network.shapes[step.writes][2:]
    over = [
        (made - 1) * step.stride + size - step.padding - extent
        for extent, made, size in zip(before, after, step.kernel, strict=True)
    ]
    return max(step.padding, *over)


def _works(
    step: Operator, frames: dict[str, Any], machine: Machine, dtype: str
) -> tuple[Work, ...]:
    """The workloads that an operator is cut into, mostly one."""
    work = _work(step, frames, machine)
    if work.dtype != dtype:
        wider = np.dtype(work.dtype).itemsize / np.dtype(dtype).itemsize
        work = _work(step, frames, machine.resized(1 / wider))
    if not isinstance(work, pointwise.Pointwise) or work.target.pixels == work.target.images:
        return (work,)
    return parts(work, machine)


def _work(step: Operator, frames: dict[str, Any], machine: Machine) -> Work:
    """The workload of an operator; its lanes are chosen by the channels that it makes."""
    source, target = frames[step.data], frames[step.writes]
    kind, activation, offset = step.kind, step.activation, step.offset
    residual = None if step.residual is None else frames[step.residual]
    if kind == "pointwise":
        outputs, inputs = _weight(step).shape
        outputs //= step.groups
        # The weights of one pixel pass once, from where they take longer than multiply-adds.
        alone = target.pixels == target.images
        lanes = machine.widest_for(outputs) if alone else machine.lanes_for(outputs)
        fields = (
            source, target, step.groups, inputs, outputs, lanes,
            step.shuffle, offset, residual, activation,
        )  # fmt: skip
        if machine.lane_factor and step.shuffle == 1:
            return pointwise_lanes.PointwiseLanes(*fields, spread=step.spread)
        return pointwise.Pointwise(*fields)
    if kind == "first_convolution":
        lanes = machine.lanes_for(target.channels)
        work = first_convolution.FirstConvolution(source, target, step.stride, lanes, activation)
        if not _is_common(step):
            return _sized_first(work, step)
        if first_convolution_deep.suits(work):
            return first_convolution_deep.FirstConvolutionDeep(**vars(work))
        columns = columns_of(work, machine)
        return PairedFirstConvolution(**vars(work), columns=columns) if columns else work
    if kind == "convolution":
        outputs, inputs, *_ = _weight(step).shape
        outputs //= step.groups
        return convolution.Convolution(
            source, target, step.kernel, step.stride, step.padding, step.groups,
            inputs, outputs, machine.lanes_for(outputs), offset, activation,
        )  # fmt: skip
    if kind == "channelwise":
        scaled = step.weight is not None
        return channelwise.Channelwise(
            source, target, scaled, step.shuffle, offset, residual, activation
        )
    lanes = machine.lanes_for(source.channels)
    if kind == "depthwise":
        return depthwise.Depthwise(source, target, step.stride, lanes, activation)
    if kind == "mean":
        return mean.Mean(source, target, lanes)
    if kind == "adaptive_pool":
        return adaptive_pool.AdaptivePool(source, target, lanes)
    if step.local_response is not None:
        response = step.local_response
        return normalisation.Normalisation(
            source, target, response.size, response.alpha, response.bias, lanes
        )
    if kind == "scale":
        return scale.Scale(
            source, frames[step.gate or ""], target, lanes, offset, residual, activation
        )
    pooling = kind.removesuffix("_pool")
    if _is_common(step):
        return pool.Pool(source, target, pooling, step.stride, lanes, offset, activation)
    return pool.SizedPool(
        source, target, pooling, step.stride, lanes, offset, activation,
        kernel=step.kernel[0], padding=step.padding,
    )  # fmt: skip


def _is_common(step: Operator) -> bool:
    return (step.kernel, step.padding) == COMMON_WINDOW


def _sized_first(
    work: first_convolution.FirstConvolution, step: Operator
) -> first_convolution.SizedFirstConvolution:
    return first_convolution.SizedFirstConvolution(
        work.source, work.target, work.stride, work.lanes, work.activation,
        kernel=step.kernel[0], padding=step.padding,
    )  # fmt: skip


def _weight(step: Operator) -> np.ndarray:
    if step.weight is None:
        raise ValueError(f"{step.kind} that writes {step.writes} has no weight")
    return step.weight


def _reads(step: Operator) -> tuple[tuple[str, str], ...]:
    roles = {"data": step.data, "residual": step.residual, "gate": step.gate}
    return tuple((role, tensor) for role, tensor in roles.items() if tensor is not None)
