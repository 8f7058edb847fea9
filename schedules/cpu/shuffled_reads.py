"""What reading a shuffled tensor costs: channels of a group lie apart, in lines of other groups.

    channels of a pixel:   | 0 1 2 3 4 5 ... 23 | 24 25 26 ... 47 | 48 ...      8 groups of 24
                             ^^^^^             ^^^^^^^^           ^^^        3 of each

A group of the convolution reads a run of channels from each group of the shuffle, and with each run
whole lines. If the first-level cache holds all pixels of a strip, the next group finds the rest of
them there; if not, each pass over the strip brings them anew.
"""

from typing import Any

import numpy as np

from schedules.cpu import pointwise
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.products import PANEL
from schedules.machine import LINE, Machine


def unused_bytes(work: Any, machine: Machine, strip_rows: int) -> float:
    """Bytes that all passes over a strip bring from the second-level cache and do not multiply."""
    if not isinstance(work, Pointwise) or work.shuffle == 1:
        return 0.0
    size = np.dtype(work.source.dtype).itemsize
    pixels = strip_rows * work.source.width
    if pixels * work.source.channels * size <= PANEL * machine.l1_bytes:
        return 0.0
    tile = pointwise.hand_tiles(work, machine, strip_rows)[0]
    passes = work.groups * work.vectors.count / tile.vectors
    run = work.inputs * size / work.shuffle
    lines = work.shuffle * (1 + (run - size) / LINE)
    return passes * pixels * max(0.0, lines * LINE - work.inputs * size)
