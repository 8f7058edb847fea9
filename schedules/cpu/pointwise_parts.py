"""Cutting the output channels of a grouped 1x1 convolution into stages of whole vectors.

    20 channels, vectors of 16:   one vector of 16, and 4 as one of 8 that takes 2 inputs at once
    20 channels, vectors of 8:    80 lanes, ten vectors that take 4 input channels at once
    20 channels, shuffled inputs: 16 as one vector, 4 as one vector of 4
    100 channels:                 96 as six vectors of 16, 4 as one that takes 4 inputs at once
    136 channels, vectors of 8:   15 vectors and 2, since no tile of more than one divides 17
    128 channels, vectors of 8:   12 vectors and 4, as tiles of 4 x 3 sums load least

A last vector that overlaps its neighbour costs a whole one, and it cannot be where the result
replaces what it is added to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from schedules.cpu import pointwise, pointwise_deep, pointwise_lanes, pointwise_uneven
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_deep import PointwiseDeep, SpreadPointwiseDeep
from schedules.cpu.pointwise_lanes import PointwiseLanes
from schedules.cpu.pointwise_uneven import PointwiseUneven
from schedules.cpu.products import PIXEL_END, VECTOR_END
from schedules.machine import Machine

Part = Pointwise | PointwiseDeep | PointwiseUneven

# A tile of fewer columns reads its weights too often.
FEWEST_COLUMNS = 2
# Vectors that may be left to a stage of their own, if tiles fit the others better then.
APART = (2, 4)
# The share of the cycles that this must save, as each stage reads all data anew, and where the
# result replaces what it is added to, of which each stage then brings lines that the other uses.
WORTH, WORTH_OVER = 0.003, 0.025
# Cycles of a pixel for each stage after the first, which reads all data anew. Measured on Zen 3,
# three kernels of ShuffleNet 1.0x in 3 groups take 3 to 5 % less where 20 channels of 80 inputs are
# vectors of two inputs than where they are 16 channels and 4 more.
AGAIN = 0.7


def parts(work: Pointwise, machine: Machine) -> tuple[Part, ...]:
    """The stages, of a convolution all of whose channels are to be made, that take least cycles."""
    return min(_ways(work, machine), key=lambda way: _way_cycles(way, machine))


def _way_cycles(way: Sequence[Part], machine: Machine) -> float:
    return sum(_cycles(part, machine) for part in way) + AGAIN * (len(way) - 1)


def _ways(work: Pointwise, machine: Machine) -> Iterator[tuple[Part, ...]]:
    """Every way to make the channels from `first` on."""
    rest = work.outputs - work.first
    widths = [width for width in machine.vector_widths if width <= rest]
    for width in widths or [1 << (rest.bit_length() - 1)]:
        whole = rest // width * width
        if whole == rest:
            yield (replace(work, lanes=width),)
            yield from _apart(work, width, machine)
            continue
        if work.residual is None and width in machine.vector_widths:
            yield (replace(work, lanes=width),)
        head = replace(work, lanes=width, count=whole)
        for after in _ways(replace(work, first=work.first + whole), machine):
            yield (head, *after)
    yield from ((part,) for part in _uneven(work, machine))
    for deep in _deep(work, machine):
        if deep.count == rest:
            yield (deep,)
            continue
        for after in _ways(replace(work, first=work.first + deep.count), machine):
            yield (deep, *after)


def _apart(work: Pointwise, width: int, machine: Machine) -> Iterator[tuple[Part, ...]]:
    """The channels from `first` on, whole vectors of that width, in two stages if that pays."""
    whole = replace(work, lanes=width)
    most = (1 - (WORTH if work.residual is None else WORTH_OVER)) * _cycles(whole, machine)
    for vectors in APART:
        own = work.outputs - work.first - vectors * width
        if own > 0:
            way = replace(whole, count=own), replace(whole, first=work.first + own)
            if sum(_cycles(part, machine) for part in way) < most:
                yield way


def _deep(work: Pointwise, machine: Machine) -> Iterator[PointwiseDeep]:
    """Stages of as many channels from `first` on as fill vectors of several input channels."""
    if work.shuffle > 1 or work.residual is not None:
        return
    spread = work.spread if isinstance(work, PointwiseLanes) else 1
    rest = work.outputs - work.first
    for lanes in machine.vector_widths:
        for depth in (2, 4, 8, 16):
            each = lanes // depth
            if each == 0 or work.inputs % depth or rest < each:
                continue
            fields = (
                work.source, work.target, work.groups, work.inputs, work.outputs, work.first,
                rest // each * each, depth, lanes, work.offset, work.activation,
            )  # fmt: skip
            deep = SpreadPointwiseDeep(*fields, spread) if spread > 1 else PointwiseDeep(*fields)
            if len(pointwise_deep.tiles_that_fit(deep, machine)) >= min(
                FEWEST_COLUMNS, work.source.width
            ):
                yield deep


def _uneven(work: Pointwise, machine: Machine) -> Iterator[PointwiseUneven]:
    """The stage of whole vectors and the channels that these leave over, a power of two."""
    whole, rest = divmod(work.outputs - work.first, machine.lanes)
    if work.residual is not None or isinstance(work, PointwiseLanes):
        return
    # Elsewhere, and where narrow vectors take as long as wide ones, this was not measured.
    if not (machine.broadcast_operands and whole) or rest.bit_count() != 1:
        return
    fields = (work.source, work.target, work.groups, work.inputs, work.outputs, work.first)
    lanes = machine.lanes, _lanes_of(rest, machine)
    uneven = PointwiseUneven(*fields, *lanes, work.shuffle, work.offset, work.activation)
    if lanes[1] < lanes[0] and pointwise_uneven.suits(uneven, machine):
        yield uneven


def _lanes_of(channels: int, machine: Machine) -> int:
    """The vector that takes so many channels, a power of two, in the fewest cycles an input, the
    narrowest of several, which adds up the fewest lanes."""
    widths = [width for width in reversed(machine.vector_widths) if width >= channels]
    return min(widths, key=lambda width: machine.fma_cycles(width) / width)


@cache
def _cycles(part: Part, machine: Machine) -> float:
    """Cycles of one pixel of one group, with the tile that is chosen by hand."""
    if isinstance(part, PointwiseLanes):
        tile = pointwise_lanes.hand_tiles(part, machine, 1)[0]
        # It leaves out what ends a pixel, the same for all its tiles; those of others count it.
        ends = PIXEL_END + VECTOR_END * part.vectors.count
        return pointwise_lanes.cycles(part, machine, tile.columns, tile.vectors) + ends
    if isinstance(part, Pointwise):
        tile = pointwise.hand_tiles(part, machine, part.source.rows)[0]
        return pointwise.cycles(part, machine, tile)
    if isinstance(part, PointwiseUneven):
        columns = pointwise_uneven.hand_tiles(part, machine, 1)[0].columns
        return pointwise_uneven.cycles(part, machine, columns)
    columns = pointwise_deep.hand_tiles(part, machine, 1)[0].columns
    return pointwise_deep.cycles(part, machine, columns)
