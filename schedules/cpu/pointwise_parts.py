"""Cutting the output channels of a grouped 1x1 convolution into stages of whole vectors.

    20 channels, vectors of 16:   16 as one vector, 4 as a tail that takes 2 input channels at once
    100 channels:                 96 as six vectors of 16, 4 as one vector of 4

A last vector that overlaps its neighbour costs a whole one, and it cannot be where the result
replaces what it is added to.
"""

from collections.abc import Iterator
from dataclasses import replace

from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_tail import PointwiseTail
from schedules.machine import Machine

Part = Pointwise | PointwiseTail

# Cycles of a step of k that a further stage costs in loop, zeroing and epilogue.
STAGE = 0.1
# Of a tail, whose loads nearly equal its multiply-adds, and which adds up its lanes at the end.
TAIL = 1.5
TAIL_LANES = 8


def parts(work: Pointwise, machine: Machine) -> tuple[Part, ...]:
    """The stages, of a convolution all of whose channels are to be made, that take least cycles."""
    return min(_ways(work, machine), key=lambda way: sum(_cycles(part, machine) for part in way))


def _ways(work: Pointwise, machine: Machine) -> Iterator[tuple[Part, ...]]:
    """Every way to make the channels from `first` on."""
    rest = work.outputs - work.first
    tail = _tail(work, machine)
    if tail is not None:
        yield (tail,)
    widths = [width for width in machine.vector_widths if width <= rest]
    for width in widths or [1 << (rest.bit_length() - 1)]:
        whole = rest // width * width
        if whole == rest:
            yield (replace(work, lanes=width),)
            continue
        if work.residual is None and width in machine.vector_widths:
            yield (replace(work, lanes=width),)
        head = replace(work, lanes=width, count=whole)
        for after in _ways(replace(work, first=work.first + whole), machine):
            yield (head, *after)


def _tail(work: Pointwise, machine: Machine) -> PointwiseTail | None:
    """The channels from `first` on for several input channels at once, if they are as few."""
    rest = work.outputs - work.first
    lanes = min(TAIL_LANES, machine.lanes)
    depths = [d for d in (8, 4, 2) if d * rest <= lanes and work.inputs % d == 0]
    if work.first == 0 or work.shuffle > 1 or work.residual or rest not in (1, 2, 4) or not depths:
        return None
    return PointwiseTail(
        work.source, work.target, work.groups, work.inputs, work.outputs, work.first,
        depths[0], work.offset, work.activation,
    )  # fmt: skip


def _cycles(part: Part, machine: Machine) -> float:
    """Cycles of one pixel of one group and one step of k."""
    if isinstance(part, PointwiseTail):
        return STAGE + TAIL * machine.fma_cycles(part.lanes) / part.depth
    return STAGE + part.vectors.count * machine.fma_cycles(part.lanes)
