"""What operators share that add up many values of each channel: arithmetic and tiles.

for vector_block:
    sum[vectors x lanes] = 0                     # lives in registers
    for all values: sum[v] += ...
"""

from dataclasses import dataclass

from schedules.frame import Frame
from schedules.machine import Machine
from schedules.vectors import Vectors


class ChannelSums:
    """A workload with channels as lanes, and no constants."""

    source: Frame
    lanes: int

    @property
    def dtype(self) -> str:
        """Of its arithmetic: a sum of so many values is beyond what 16 bits hold."""
        return "float32"

    @property
    def vectors(self) -> Vectors:
        """The channels as vectors."""
        return Vectors(self.source.channels, self.lanes)


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest."""

    strip_rows: int
    vectors: int


def weight_shapes(work: ChannelSums) -> dict[str, tuple[int, ...]]:
    """There are no constants."""
    return {}


def tiles_that_fit(work: ChannelSums, machine: Machine) -> list[tuple[int]]:
    """Every number of vectors that divides the channels and leaves half the registers free."""
    return [
        (vectors,)
        for vectors in range(1, machine.registers // 2 + 1)
        if work.vectors.count % vectors == 0
    ]


def hand_tiles(work: ChannelSums, machine: Machine, strip_rows: int) -> list[Tile]:
    """As many sums as it takes to hide the latency of an addition, and no more."""
    enough = 2 * machine.fma_latency
    fitting = [vectors for (vectors,) in tiles_that_fit(work, machine)]
    fitting.sort(key=lambda vectors: (abs(vectors - enough), -vectors))
    return [Tile(strip_rows, vectors) for vectors in fitting]
