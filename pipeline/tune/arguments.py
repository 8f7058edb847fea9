"""Seeded arguments for a kernel: activations, and constants packed as the network packs them."""

import numpy as np

from pipeline.tune.space import Array, Output
from schedules.cpu.border import Border
from schedules.cpu.convolution import Convolution
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.operators import Work, operator
from schedules.cpu.pointwise_parts import Part


def arguments(kernel: Kernel, seed: int) -> list[Array]:
    """The inputs and then the constants in the order of the kernel's parameters."""
    random = np.random.default_rng(seed)
    frames = [kernel.frames[name] for name in kernel.inputs]
    values = [
        random.standard_normal(frame.shape, dtype=np.float32).astype(frame.dtype)
        for frame in frames
    ]
    for stage in kernel.stages:
        values += constants(stage, random)
    return values


def updates(kernel: Kernel) -> list[int]:
    """Which of the arguments the kernel changes in place."""
    return [kernel.inputs.index(name) for name in kernel.updates]


def outputs(kernel: Kernel) -> list[Output]:
    """The shape of what the kernel fills, as allocated, and its type."""
    return [(kernel.frames[name].shape, kernel.frames[name].dtype) for name in kernel.outputs]


def constants(stage: Stage, random: np.random.Generator) -> list[Array]:
    """The packed constants of an operator: lanes that overlap hold the same weight."""
    work = stage.work
    shape = _weight_shape(work)
    if shape is None:
        return []
    weight = random.standard_normal(shape, dtype=np.float32)
    bias = random.standard_normal(shape[0], dtype=np.float32)
    packed = operator(work).pack(work, weight, bias)
    return [
        packed[role].astype(stage.constant_dtype) for role in operator(work).weight_shapes(work)
    ]


def _weight_shape(work: Work) -> tuple[int, ...] | None:
    """The shape of the weight as a network has it, output channels first."""
    if isinstance(work, Border) or not operator(work).weight_shapes(work):
        return None
    if isinstance(work, Part):
        return work.groups * work.outputs, work.inputs
    if isinstance(work, FirstConvolution):
        return work.target.channels, work.source.planes, *work.window[:1] * 2
    if isinstance(work, Convolution):
        return work.groups * work.outputs, work.inputs, *work.kernel
    if isinstance(work, Depthwise):
        return work.target.channels, 3, 3
    raise TypeError(f"the weight of {type(work).__name__} has no known shape")
