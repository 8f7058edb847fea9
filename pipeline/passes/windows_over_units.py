"""Whether a 3x3 window joins the kernel that makes what it reads, and strips make its rows.

    first convolution                           first convolution, depthwise, pointwise,
    depthwise, pointwise              ->        depthwise, pointwise
    depthwise, pointwise

Measured with one thread on a Xeon of 2 MB a core, MobileNet 1.0: these two kernels, 224 x 224, take
1.14 ms apart and 1.00 ms as one. Where strips meet they make the rows under a window twice. So
units stay apart whose frame a third-level cache brings in less time than that takes: measured with
one thread on Zen 4 of 1 MB a core, MobileNet 1.0 takes 1.4 % less with the units of 28 x 28 apart,
and no more with those of 56 x 56 apart too.
"""

from collections import Counter
from typing import Any

from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.first_convolution_deep import FirstConvolutionDeep
from schedules.cpu.first_convolution_paired import PairedFirstConvolution
from schedules.cpu.kernel import Stage
from schedules.cpu.overlap import WINDOWS
from schedules.cpu.pointwise_deep import PointwiseDeep
from schedules.cpu.pointwise_uneven import PointwiseUneven
from schedules.cpu.tiles import FAR_BYTES
from schedules.cpu.window import KERNEL
from schedules.machine import Machine

# 1x1 convolutions that store whole vectors.
OF_VECTORS = (PointwiseDeep, PointwiseUneven)
# First convolutions whose rows a window over them can have made strip by strip.
UNDER_WINDOWS = (FirstConvolution, FirstConvolutionDeep, PairedFirstConvolution)
# The share of a second-level cache in which a frame stays while others pass, and the share that
# the weights of a unit may take there, which are read again for every few rows.
KEPT = 1 / 2
WEIGHTS = 1 / 3
# The share of the time that a far frame takes, there and back, which multiply-adds wait. Not
# measured itself: from 0.46 on the units of 56 x 56 would be one on Zen 4.
WAITED = 0.4


def lies_over(stage: Stage, group: list[Stage], readers: Counter[str], machine: Machine) -> bool:
    """Whether a stage is a window for which the group can make strips.

    That is one over the first convolution, and one over a window and the stages behind it if they
    write more than a cache keeps, which is worth making some rows twice, and nothing else that is
    read later.
    """
    data, last = dict(stage.reads).get("data"), group[-1]
    if (
        type(stage.work) not in WINDOWS
        or data != last.writes
        or readers[data] != 1
        or last.work.target.images != 1
    ):
        return False
    if type(last.work) in UNDER_WINDOWS:
        return True
    own = group[1:] if type(group[0].work) in UNDER_WINDOWS else group
    is_unit = type(own[0].work) in WINDOWS and len(since_window(own)) == len(own)
    is_unit &= not any(isinstance(one.work, OF_VECTORS) for one in own)
    within = Counter(name for one in group for _, name in one.reads)
    kept_here = all(
        readers[one.writes] == within[one.writes] for one in group if one.writes != last.writes
    )
    weights = sum(size for one in own for size in one.constant_bytes.values())
    cache = machine.l2_bytes
    far = last.work.target.bytes > KEPT * cache and weights <= WEIGHTS * cache
    return is_unit and kept_here and far and _worth_rows_twice(stage.work, own, machine)


def _worth_rows_twice(window: Any, own: list[Stage], machine: Machine) -> bool:
    """Whether a unit takes more time to leave its result far away than to make again those of its
    rows that strips under a window have in common; each core has a strip at least."""
    frame = own[-1].work.target
    if frame.bytes > machine.l3_bytes:
        return True
    rows = machine.cores * (KERNEL - window.stride)
    again = sum(one.work.macs for one in own) * rows / frame.rows / machine.fma_lanes
    return bool(again < WAITED * 2 * frame.bytes / FAR_BYTES)


def since_window(group: list[Stage]) -> list[Stage]:
    """The stages of a group from its last window over another of them on; without one all."""
    windows_over = [at for at, stage in enumerate(group) if _reads_any(stage, group[:at])]
    return group[max(windows_over) :] if windows_over else group


def _reads_any(stage: Stage, others: list[Stage]) -> bool:
    written = {other.writes for other in others}
    return type(stage.work) in WINDOWS and dict(stage.reads)["data"] in written
