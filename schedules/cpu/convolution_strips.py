"""How many rows a strip of an ordinary convolution has, when its numbers are chosen by hand.

Its tasks are strips of vector blocks. What counts is what has to come from beyond the second-level
cache: every strip brings all weights again, unless they stay there; every vector block brings the
rows of its strip again, unless they stay beside its weights.
"""

from math import ceil

import numpy as np

from schedules.cpu.convolution import Convolution, hand_tiles
from schedules.machine import Machine

# What a core gets in a cycle from beyond its second-level cache.
OUTER_BYTES = 12
# The share of that cache in which something stays while the rest passes.
KEPT = 1 / 2


def hand_strip_rows(work: Convolution, machine: Machine) -> int:
    """Rows a strip for fewest cycles, the least of equal ones."""
    return min(
        range(1, work.target.rows + 1), key=lambda height: (_cycles(work, machine, height), height)
    )


def _cycles(work: Convolution, machine: Machine, height: int) -> float:
    """Cycles of all cores together, the idle ones of the last tasks included."""
    strips = ceil(work.target.rows / height)
    blocks = work.vectors.count // hand_tiles(work, machine, height)[0].vectors
    read = min(work.source.shape[0], (height - 1) * work.stride + work.kernel[0])
    strip_bytes = work.source.bytes / work.source.shape[0] * read
    outputs = work.groups * work.outputs
    item_bytes = np.dtype(work.source.dtype).itemsize
    weight_bytes = float(item_bytes * outputs * work.inputs * work.taps)
    kept = KEPT * machine.l2_bytes
    outer = weight_bytes * (strips if weight_bytes > kept else 1)
    outer += strip_bytes * strips * (blocks if strip_bytes > kept else 1)
    tasks = strips * work.groups * blocks
    turns = ceil(tasks / machine.cores)
    # The last strip has fewer rows, but whoever has it is waited for no less.
    compute = work.macs * strips * height / work.target.rows / machine.fma_lanes
    return (compute + outer / OUTER_BYTES) * turns * machine.cores / tasks
