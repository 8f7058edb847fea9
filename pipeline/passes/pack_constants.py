"""All constants of a network in one piece of memory, in the order in which its kernels read them.

    |  weight 0  |  bias 0  |  weight 1  |  bias 1  | ...

Whoever fetches ahead then fetches what follows.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from pipeline.passes.kernel_calls import KernelCalls
from schedules.cpu.huge_pages import filling
from schedules.cpu.phases import bytes_of
from schedules.machine import LINE


@dataclass(frozen=True)
class Placed:
    """The first byte of each constant by its number, of each call the byte after the last that has
    been read when it is over, and how many bytes they have to lie in."""

    offsets: dict[int, int]
    ends: list[int]
    room: int

    @property
    def bytes(self) -> int:
        """Of all of them."""
        return self.ends[-1]


def placed(read: KernelCalls, huge_pages: bool = False) -> Placed:
    """Where the constants of a network lie, which may fill `huge_pages`; each begins with a line.

    Behind them is a line at least, for what code notes there.
    """
    offsets: dict[int, int] = {}
    ends: list[int] = []
    end = 0
    for _, tensors in read.calls:
        for number in tensors:
            if number in read.constants and number not in offsets:
                offsets[number] = end
                end += ceil(bytes_of(read.types[number]) / LINE) * LINE
        ends.append(end)
    room = end + LINE
    return Placed(offsets, ends, filling(room) if huge_pages else room)


def packed(read: KernelCalls, where: Placed) -> NDArray[np.uint8]:
    """The constants where they lie, and zeros behind them."""
    made = np.zeros(where.room, np.uint8)
    for number, offset in where.offsets.items():
        values = read.constants[number].value.numpy().reshape(-1).view(np.uint8)
        made[offset : offset + values.size] = values
    return made
