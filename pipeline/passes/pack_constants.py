"""All constants of a network in one piece of memory, in the order in which its kernels read them.

    |  weight 0  |  bias 0  |  weight 1  |  bias 1  | ...

Whoever fetches ahead then fetches what follows.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from pipeline.passes.kernel_calls import KernelCalls
from schedules.cpu.phases import bytes_of
from schedules.machine import LINE


@dataclass(frozen=True)
class Placed:
    """The first byte of each constant by its number, and of each call the byte after the last that
    has been read when it is over."""

    offsets: dict[int, int]
    ends: list[int]

    @property
    def bytes(self) -> int:
        """Of all of them."""
        return self.ends[-1]


def placed(read: KernelCalls) -> Placed:
    """Where the constants of a network lie; each begins with a line."""
    offsets: dict[int, int] = {}
    ends: list[int] = []
    end = 0
    for _, tensors in read.calls:
        for number in tensors:
            if number in read.constants and number not in offsets:
                offsets[number] = end
                end += ceil(bytes_of(read.types[number]) / LINE) * LINE
        ends.append(end)
    return Placed(offsets, ends)


def packed(read: KernelCalls, where: Placed) -> NDArray[np.uint8]:
    """The constants where they lie, and a line of zeros after them, for what code notes there."""
    made = np.zeros(where.bytes + LINE, np.uint8)
    for number, offset in where.offsets.items():
        values = read.constants[number].value.numpy().reshape(-1).view(np.uint8)
        made[offset : offset + values.size] = values
    return made
