"""Kernels of one stage on layers of every kind: those of ShuffleNet and odd ones."""

from schedules.cpu.border import Border
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.mean import Mean
from schedules.cpu.operators import Work
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pool import Pool
from schedules.cpu.scale import Scale
from schedules.frame import Frame, Planes
from schedules.machine import Machine


def alone(work: Work) -> Kernel:
    """A kernel of one stage, with the border that its result asks for."""
    roles = ["data", "residual", "gate"]
    reads = tuple((role, role) for role in roles if getattr(work, _field(role), None) is not None)
    border = Stage("border", Border(work.target), (), "out")
    stage = Stage("stage", work, reads, "out")
    return Kernel((border, stage) if work.target.border else (stage,))


def _field(role: str) -> str:
    return {"data": "source"}.get(role, role)


def pointwise(layer: tuple[int, ...], machine: Machine) -> Pointwise:
    """From (images, height, width, groups, inputs, outputs, shuffle, residual, border, offset)."""
    images, height, width, groups, inputs, outputs, shuffle, residual, border, offset = layer
    frame = Frame(images, height, width, groups * inputs, border)
    made = Frame(images, height, width, groups * outputs, 1 - border)
    target = Frame(images, height, width, groups * outputs + offset, border)
    return Pointwise(
        frame, target, groups, inputs, outputs, machine.lanes_for(outputs),
        shuffle, offset, made if residual else None, "relu" if residual else "none",
    )  # fmt: skip


POINTWISE = [
    (1, 28, 28, 3, 80, 20, 1, 0, 1, 0),
    (1, 28, 28, 3, 20, 80, 3, 1, 0, 0),
    (1, 14, 14, 8, 12, 96, 8, 1, 1, 0),
    (1, 14, 14, 4, 68, 17, 1, 0, 0, 0),
    (1, 7, 7, 2, 50, 25, 2, 1, 0, 0),
    (1, 1, 1, 1, 96, 1000, 1, 0, 0, 0),
    (2, 5, 7, 3, 8, 9, 3, 1, 1, 5),
    (3, 1, 1, 1, 7, 13, 1, 0, 0, 0),
    # All but one extent collapse; primes; one below, at and above the width of a vector.
    (1, 1, 1, 1, 1, 1, 1, 0, 0, 0),
    (1, 3, 2, 1, 3, 1, 1, 1, 1, 3),
    (1, 5, 11, 1, 13, 7, 1, 0, 0, 0),
    (1, 2, 17, 1, 5, 8, 1, 0, 0, 0),
    (2, 3, 5, 1, 5, 15, 1, 1, 0, 1),
    (1, 3, 5, 1, 5, 16, 1, 0, 1, 0),
    (1, 3, 5, 5, 10, 17, 5, 1, 0, 0),
    (1, 2, 3, 2, 6, 33, 3, 0, 0, 0),
]

# Images, height, width, channels, stride, border of the result.
WINDOWS = [
    (1, 28, 28, 60, 1, 0),
    (1, 28, 28, 120, 2, 0),
    (1, 7, 7, 240, 1, 1),
    (2, 9, 7, 50, 2, 0),
    (3, 5, 5, 17, 2, 1),
    (1, 1, 1, 1, 1, 0),
    (1, 2, 3, 3, 2, 0),
    (2, 11, 13, 7, 1, 1),
    (1, 4, 31, 16, 2, 0),
    (1, 5, 4, 33, 1, 0),
]


def windowed(layer: tuple[int, ...], machine: Machine) -> list[Work]:
    """A depthwise convolution and both pools on a layer of `WINDOWS`."""
    images, height, width, channels, stride, border = layer
    source = Frame(images, height, width, channels, 1)
    size = ((height - 1) // stride + 1, (width - 1) // stride + 1)
    target = Frame(images, *size, channels, border)
    joined = Frame(images, *size, channels + 3, border)
    lanes = machine.lanes_for(channels)
    return [
        Depthwise(source, target, stride, lanes, "relu"),
        Pool(source, target, "max", stride, lanes),
        Pool(source, joined, "average", stride, lanes, 3, "relu"),
    ]


# Images, height, width, channels.
FRAMES = [(1, 7, 7, 960), (2, 3, 5, 17), (3, 1, 1, 1), (1, 2, 2, 7)]


def whole(layer: tuple[int, ...], machine: Machine) -> list[Work]:
    """A mean and a gate on a layer of `FRAMES`."""
    images, height, width, channels = layer
    source, pixel = Frame(images, height, width, channels), Frame(images, 1, 1, channels)
    target = Frame(images, height, width, channels + 2, 1)
    lanes = machine.lanes_for(channels)
    return [
        Mean(source, pixel, lanes),
        Scale(source, pixel, target, lanes, 2, None, "relu"),
        Scale(source, pixel, Frame(images, height, width, channels), lanes, 0, source, "relu"),
    ]


# Images, height, width, channels made, stride.
IMAGES = [
    (1, 64, 64, 24, 2),
    (2, 33, 31, 32, 2),
    (1, 17, 64, 3, 1),
    (1, 65, 7, 1, 2),
    (1, 6, 9, 17, 1),
]


def first(layer: tuple[int, ...], machine: Machine) -> FirstConvolution:
    """The first convolution on a layer of `IMAGES`."""
    images, height, width, channels, stride = layer
    size = ((height - 1) // stride + 1, (width - 1) // stride + 1)
    target = Frame(images, *size, channels, 1)
    lanes = machine.lanes_for(channels)
    return FirstConvolution(Planes(images, 3, height, width), target, stride, lanes)
