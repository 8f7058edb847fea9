"""Kernels of one stage on layers of every kind, those of the networks and odd ones; and units."""

from dataclasses import fields, replace
from typing import Any

from schedules.cpu.adaptive_pool import AdaptivePool
from schedules.cpu.border import Border
from schedules.cpu.convolution import Convolution
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.first_convolution import FirstConvolution, SizedFirstConvolution
from schedules.cpu.first_convolution_deep import FirstConvolutionDeep
from schedules.cpu.first_convolution_paired import PairedFirstConvolution
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.mean import Mean
from schedules.cpu.normalisation import Normalisation
from schedules.cpu.operators import Work, operator
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_lanes import PointwiseLanes
from schedules.cpu.pool import Pool, SizedPool
from schedules.cpu.row_pool import RowPool
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
    spare = images - 1
    frame = Frame(images, height, width, groups * inputs, border, spare=spare)
    made = Frame(images, height, width, groups * outputs, 1 - border, spare=spare)
    target = Frame(images, height, width, groups * outputs + offset, border, spare=spare)
    return Pointwise(
        frame, target, groups, inputs, outputs, machine.lanes_for(outputs),
        shuffle, offset, made if residual else None, "relu" if residual else "none",
    )  # fmt: skip


def lanes(layer: tuple[int, ...], machine: Machine) -> PointwiseLanes:
    """The same with its data in order, and its result shuffled where the layer has a shuffle."""
    work = pointwise((*layer[:6], 1, *layer[7:]), machine)
    own = {field.name: getattr(work, field.name) for field in fields(work)}
    if layer[6] != work.groups:
        return PointwiseLanes(**own)
    return PointwiseLanes(**{**own, "residual": None}, spread=work.groups)


POINTWISE = [
    (1, 28, 28, 3, 80, 20, 1, 0, 1, 0),
    (1, 28, 28, 3, 20, 80, 3, 1, 0, 0),
    (1, 14, 14, 8, 12, 96, 8, 1, 1, 0),
    (1, 14, 14, 4, 68, 17, 1, 0, 0, 0),
    (1, 7, 7, 2, 50, 25, 2, 1, 0, 0),
    (1, 1, 1, 1, 96, 1000, 1, 0, 0, 0),
    # Three outputs are a vector of three lanes, but inputs are loaded by powers of two.
    (1, 1, 1, 1, 52, 3, 1, 0, 0, 0),
    (2, 3, 5, 2, 8, 3, 2, 0, 1, 0),
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
    """A depthwise convolution and both pools on a layer of `WINDOWS`, with a border and without."""
    images, height, width, channels, stride, border = layer
    spare = images - 1
    source = Frame(images, height, width, channels, 1, spare=spare)
    bare = replace(source, border=0)
    size = ((height - 1) // stride + 1, (width - 1) // stride + 1)
    target = Frame(images, *size, channels, border, spare=spare)
    joined = Frame(images, *size, channels + 3, border)
    lanes = machine.lanes_for(channels)
    return [
        Depthwise(source, target, stride, lanes, "relu"),
        Pool(source, target, "max", stride, lanes),
        Pool(source, joined, "average", stride, lanes, 3, "relu"),
        Depthwise(bare, target, stride, lanes, "relu"),
        Pool(bare, target, "max", stride, lanes),
        Pool(bare, joined, "average", stride, lanes, 3, "relu"),
    ]


# Images, height, width, channels.
FRAMES = [(1, 7, 7, 960), (2, 3, 5, 17), (3, 1, 1, 1), (1, 2, 2, 7)]


def whole(layer: tuple[int, ...], machine: Machine) -> list[Work]:
    """A mean and a gate on a layer of `FRAMES`."""
    images, height, width, channels = layer
    source = Frame(images, height, width, channels, spare=images - 1)
    pixel = Frame(images, 1, 1, channels)
    target = Frame(images, height, width, channels + 2, 1)
    lanes = machine.lanes_for(channels)
    return [
        Mean(source, pixel, lanes),
        Scale(source, pixel, target, lanes, 2, None, "relu"),
        Scale(source, pixel, source, lanes, 0, source, "relu"),
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


# Images, height, width, whole vectors of channels, beside which half a vector is left.
EVEN_IMAGES = [(1, 64, 64, 1), (2, 32, 36, 2), (3, 17, 4, 1), (1, 1, 12, 1)]


def first_deep(layer: tuple[int, ...], machine: Machine) -> FirstConvolutionDeep:
    """The first convolution on a layer of `EVEN_IMAGES`."""
    images, height, width, whole = layer
    channels = whole * machine.lanes + machine.lanes // 2
    target = Frame(images, (height + 1) // 2, width // 2, channels, 1)
    return FirstConvolutionDeep(Planes(images, 3, height, width), target, 2, machine.lanes)


# Images, height, width, channels, columns of a tile, and whether a pool takes their maximum.
PAIRED_IMAGES = [
    (1, 32, 56, 24, 4, True), (2, 16, 44, 17, 2, True), (1, 4, 40, 8, 4, False),
    (1, 8, 32, 5, 2, True), (3, 12, 36, 16, 2, False), (1, 32, 48, 32, 4, False),
    (2, 8, 64, 24, 4, True),
]  # fmt: skip


def first_paired(layer: tuple[int, ...], machine: Machine) -> PairedFirstConvolution:
    """The first convolution by pairs of rows and columns on a layer of `PAIRED_IMAGES`."""
    images, height, width, channels, columns, pooled = layer
    target = Frame(images, height // 2, width // (4 if pooled else 2), channels, 1)
    planes, lanes = Planes(images, 3, height, width), machine.lanes_for(channels)
    return PairedFirstConvolution(planes, target, 2, lanes, columns=columns, pooled=bool(pooled))


def row_pool(layer: tuple[int, ...], machine: Machine) -> RowPool:
    """The maximum over rows on a layer of `FRAMES`."""
    images, height, width, channels = layer
    source = Frame(images, height, width, channels, images - 1)
    target = Frame(images, (height + 1) // 2, width, channels)
    return RowPool(source, target, "max", 2, machine.lanes_for(channels))


# Images, height, width, groups, inputs, outputs, kernel, stride, padding, border, offset.
CONVOLUTIONS = [
    # Small ones of VGG, GoogLeNet, SqueezeNet and AlexNet: 3x3 and 5x5, plain and in two groups.
    (1, 14, 14, 1, 64, 64, (3, 3), 1, 1, 1, 0),
    (1, 7, 7, 1, 48, 208, (3, 3), 1, 1, 1, 64),
    (1, 13, 13, 2, 24, 32, (5, 5), 1, 2, 2, 0),
    (1, 13, 13, 2, 48, 48, (3, 3), 1, 1, 1, 0),
    # A dense layer behind images, with and without a border.
    (1, 6, 6, 1, 32, 96, (6, 6), 1, 0, 0, 0),
    (2, 3, 2, 1, 5, 17, (3, 2), 1, 0, 1, 0),
    # All strides and paddings, primes, one channel, one below, at and above a vector, wide borders.
    (1, 1, 1, 1, 1, 1, (3, 3), 1, 1, 1, 0),
    (2, 9, 7, 1, 3, 5, (3, 3), 2, 1, 1, 0),
    (1, 11, 13, 1, 7, 15, (5, 5), 2, 2, 3, 2),
    (1, 17, 19, 1, 2, 16, (7, 7), 4, 3, 3, 0),
    (1, 12, 31, 1, 1, 33, (2, 2), 2, 0, 2, 0),
    (3, 8, 5, 3, 4, 17, (1, 1), 2, 0, 0, 0),
    (1, 15, 14, 1, 3, 8, (11, 11), 3, 2, 2, 1),
    (1, 5, 6, 5, 1, 2, (3, 3), 1, 2, 2, 0),
    (2, 6, 10, 1, 4, 4, (4, 3), 3, 1, 1, 0),
]


def convolution(layer: tuple, machine: Machine) -> Convolution:
    """A convolution on a layer of `CONVOLUTIONS`."""
    images, height, width, groups, inputs, outputs, kernel, stride, padding, border, offset = layer
    source = Frame(images, height, width, groups * inputs, border)
    size = [
        (extent + 2 * padding - window) // stride + 1
        for extent, window in zip((height, width), kernel, strict=True)
    ]
    target = Frame(images, *size, groups * outputs + offset, 1)
    lanes = machine.lanes_for(outputs)
    return Convolution(
        source, target, kernel, stride, padding, groups, inputs, outputs, lanes, offset, "relu"
    )


# Images, height, width, channels, kernel, stride, padding, whether sizes are rounded up, border.
POOLS = [
    (1, 14, 14, 64, 2, 2, 0, False, 0),
    (1, 13, 13, 96, 3, 2, 0, False, 2),
    (1, 12, 14, 48, 3, 2, 0, True, 1),
    (2, 7, 9, 17, 2, 2, 0, True, 1),
    (1, 8, 5, 1, 5, 3, 2, False, 3),
    (1, 3, 3, 33, 3, 1, 0, False, 1),
    # A border narrower than what windows reach, on one side or on all.
    (2, 7, 9, 17, 2, 2, 0, True, 0),
    (1, 8, 5, 3, 5, 3, 2, False, 1),
    (1, 12, 14, 48, 3, 2, 0, True, 0),
]


def sized_pool(layer: tuple, machine: Machine) -> SizedPool:
    """A maximum pool on a layer of `POOLS`."""
    images, height, width, channels, kernel, stride, padding, up, border = layer
    spare = stride - 1 if up else 0
    size = [(side + 2 * padding - kernel + spare) // stride + 1 for side in (height, width)]
    source, target = Frame(images, height, width, channels, border), Frame(images, *size, channels)
    return SizedPool(
        source, target, "max", stride, machine.lanes_for(channels), kernel=kernel, padding=padding
    )


# Images, height, width, channels made, kernel, stride, padding.
LARGE_WINDOWS = [(1, 33, 35, 64, 7, 2, 3), (2, 29, 31, 96, 7, 2, 0), (1, 40, 43, 17, 11, 4, 2)]


def sized_first(layer: tuple[int, ...], machine: Machine) -> SizedFirstConvolution:
    """The first convolution on a layer of `LARGE_WINDOWS`."""
    images, height, width, channels, kernel, stride, padding = layer
    size = [(side + 2 * padding - kernel) // stride + 1 for side in (height, width)]
    target = Frame(images, *size, channels, 1)
    return SizedFirstConvolution(
        Planes(images, 3, height, width), target, stride, machine.lanes_for(channels),
        kernel=kernel, padding=padding,
    )  # fmt: skip


# Images, height, width, channels, height and width that are averaged to.
AVERAGED = [(1, 3, 2, 64, 7, 7), (2, 11, 13, 17, 7, 6), (1, 5, 1, 1, 2, 3)]


def adaptive(layer: tuple[int, ...], machine: Machine) -> AdaptivePool:
    """The pool on a layer of `AVERAGED`."""
    images, height, width, channels, *size = layer
    source, target = Frame(images, height, width, channels, 1), Frame(images, *size, channels)
    return AdaptivePool(source, target, machine.lanes_for(channels))


# Images, height, width, channels, size of the neighbourhood.
NORMALISED = [(1, 7, 7, 96, 5), (2, 3, 5, 17, 4), (1, 2, 3, 1, 5), (1, 1, 1, 33, 1)]


def normalised(layer: tuple[int, ...], machine: Machine) -> Normalisation:
    """A normalisation on a layer of `NORMALISED`."""
    images, height, width, channels, size = layer
    source, target = (
        Frame(images, height, width, channels),
        Frame(images, height, width, channels, 2),
    )
    return Normalisation(source, target, size, 0.5, 2.0, machine.lanes_for(channels))


def unit(shape: tuple[int, ...], machine: Machine, border: int) -> Kernel:
    """Depthwise, expansion over what it is added to, a pass over that, and the next reduction."""
    height, width, inputs, groups, outputs = shape
    under = Frame(1, height, width, inputs * groups, 1)
    between = Frame(1, height, width, inputs * groups)
    wide = Frame(1, height, width, outputs * groups, border)
    narrow = Frame(1, height, width, inputs * groups, 1)
    kind = PointwiseLanes if machine.lane_factor else Pointwise
    lanes = machine.lanes_for(inputs * groups)
    each = machine.lanes_for(outputs)
    stages = (
        Stage("window", Depthwise(under, between, 1, lanes, "none"), (("data", "a"),), "b"),
        Stage(
            "expand",
            kind(between, wide, groups, inputs, outputs, each, residual=wide),
            (("data", "b"), ("residual", "c")),
            "c",
        ),
        Stage(
            "reduce",
            kind(wide, narrow, groups, outputs, inputs, machine.lanes_for(inputs)),
            (("data", "c"),),
            "d",
        ),
    )
    return Kernel((Stage("border", Border(narrow), (), "d"), *stages), ("b",))


def hand_tiles(kernel: Kernel, machine: Machine) -> list[Any]:
    """The tiles by hand of all stages, in strips of all rows."""
    return [operator(s.work).hand_tiles(s.work, machine, kernel.rows)[0] for s in kernel.stages]
