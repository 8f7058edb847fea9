"""Whether a 3x3 window is in the kernel that makes what it reads, and strips make its rows.

    first convolution                           first convolution, depthwise, pointwise,
    depthwise, pointwise              ->        depthwise, pointwise
    depthwise, pointwise

Measured with one thread on a Xeon of 2 MB a core, MobileNet 1.0: these two kernels, 224 x 224, take
1.14 ms apart and 1.00 ms as one. Where strips meet they make the rows under a window twice. So
units stay apart whose frame a third-level cache brings in less time than that takes: measured with
one thread on Zen 4 of 1 MB a core, MobileNet 1.0 takes 1.4 % less with the units of 28 x 28 apart,
and no more with those of 56 x 56 apart too.

    first convolution, pool, 1x1                first convolution, pool
    depthwise, 1x1, pool              ->        1x1, depthwise, 1x1, pool

A 1x1 convolution belongs to the window over it, too, if that is of a unit with a pool which reads
what the convolution reads. Measured on Zen 4, ShuffleNet 1.0x in 3 groups: with 224 x 224 pixels it
takes as long, in 1.8 MB for 2.3, and with 480 x 640 it takes 1.8 % less with one thread and 1.0 %
with two.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.first_convolution_deep import FirstConvolutionDeep
from schedules.cpu.first_convolution_paired import PairedFirstConvolution
from schedules.cpu.kernel import Stage
from schedules.cpu.overlap import WINDOWS
from schedules.cpu.pointwise_parts import Part
from schedules.cpu.products import L2_BYTES
from schedules.cpu.tiles import FAR_BYTES
from schedules.cpu.window import KERNEL
from schedules.frame import Frame
from schedules.machine import Machine

# First convolutions whose rows a window over them can have made strip by strip.
UNDER_WINDOWS = (FirstConvolution, FirstConvolutionDeep, PairedFirstConvolution)
# The share of a second-level cache in which a frame stays while others pass, and the share that
# the weights of a unit may take there, which are read again for every few rows.
KEPT = 1 / 2
WEIGHTS = 1 / 3
# The share of the time that a far frame takes, there and back, which multiply-adds wait. Not
# measured itself: from 0.46 on the units of 56 x 56 would be one on Zen 4.
WAITED = 0.4


@dataclass(frozen=True)
class Tensors:
    """How many stages of a network read each tensor, and which tensors a stage changes in place."""

    readers: Counter[str]
    changed: frozenset[str]


def tensors_of(stages: tuple[Stage, ...]) -> Tensors:
    """What is known of the tensors of a network."""
    read = [(name, name == stage.writes) for stage in stages for _, name in stage.reads]
    return Tensors(Counter(name for name, _ in read), frozenset(name for name, own in read if own))


def lies_over(stage: Stage, group: list[Stage], tensors: Tensors, machine: Machine) -> bool:
    """Whether a stage is a window for which the group can make strips.

    That is one over the first convolution, one over the 1x1 convolution that opens its unit, and
    one over a window and the stages behind it if they write more than a cache keeps, which is worth
    making some rows twice, and nothing else that is read later.
    """
    if not _reads_alone(stage, group[-1], tensors):
        return False
    if type(group[-1].work) in UNDER_WINDOWS or opening(stage, group, tensors, machine) == group:
        return True
    own = group[1:] if type(group[0].work) in UNDER_WINDOWS else group
    is_unit = type(own[0].work) in WINDOWS and len(since_window(own)) == len(own)
    within = Counter(name for one in group for _, name in one.reads)
    kept_here = all(
        tensors.readers[one.writes] == within[one.writes]
        for one in group
        if one.writes != group[-1].writes
    )
    far = _is_far(group[-1].work.target, machine)
    return is_unit and kept_here and far and _worth_rows_twice(stage.work, own, machine)


def opening(window: Stage, group: list[Stage], tensors: Tensors, machine: Machine) -> list[Stage]:
    """The last stages of a group, if they are the 1x1 convolution before a window and belong to the
    kernel of that; otherwise none.

    They do if they read what others read later too, so that it is whole in memory anyway, but
    nobody changes, and write no less than that; and if to write it nowhere is worth making some
    rows twice.
    """
    if not _reads_alone(window, group[-1], tensors):
        return []
    own = [one for one in group if one.writes == group[-1].writes]
    sources = {name for one in own for _, name in one.reads}
    if not all(isinstance(one.work, Part) for one in own) or len(sources) > 1:
        return []
    (source,) = sources
    read_later = tensors.readers[source] > len(own)
    if not read_later or source in tensors.changed:
        return []
    if own[-1].frame("data").bytes > own[-1].work.target.bytes:
        return []
    return own if _worth_rows_twice(window.work, own, machine) else []


def _reads_alone(window: Stage, last: Stage, tensors: Tensors) -> bool:
    """Whether a stage is a window over the one image that another writes, and its only reader."""
    data, frame = dict(window.reads).get("data"), last.work.target
    return (
        type(window.work) in WINDOWS
        and data == last.writes
        and tensors.readers[data] == 1
        and frame.images == 1
    )


def _worth_rows_twice(window: Any, own: list[Stage], machine: Machine) -> bool:
    """Whether stages take more time to write their result to a cache, and a window to read it from
    there, than to make again those of its rows that strips under a window have in common.

    Each core has a strip at least, and reads all weights again for every few rows.
    """
    frame = own[-1].work.target
    weights = sum(size for one in own for size in one.constant_bytes.values())
    if weights > WEIGHTS * machine.l2_bytes:
        return False
    far = _is_far(frame, machine)
    if far and frame.bytes > machine.l3_bytes:
        return True
    rows = machine.cores * (KERNEL - window.stride)
    again = sum(one.work.macs for one in own) * rows / frame.rows / machine.fma_lanes
    bytes_a_cycle = FAR_BYTES if far else L2_BYTES
    return bool(again < WAITED * 2 * frame.bytes / bytes_a_cycle)


def _is_far(frame: Frame, machine: Machine) -> bool:
    """Whether it is more than a core keeps in its cache while others pass."""
    return frame.bytes > KEPT * machine.l2_bytes


def since_window(group: list[Stage]) -> list[Stage]:
    """The stages of a group from its last window over another of them on; without one all."""
    windows_over = [at for at, stage in enumerate(group) if _reads_any(stage, group[:at])]
    return group[max(windows_over) :] if windows_over else group


def _reads_any(stage: Stage, others: list[Stage]) -> bool:
    written = {other.writes for other in others}
    return type(stage.work) in WINDOWS and dict(stage.reads)["data"] in written
