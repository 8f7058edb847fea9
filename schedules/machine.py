"""What a schedule has to know of a CPU core. ARM against x86 is a difference of records."""

from dataclasses import dataclass, replace
from math import ceil

# Bytes of a line of the caches.
LINE = 64
# Bytes of a page.
PAGE = 4096


@dataclass(frozen=True)
class Machine:
    """One kind of CPU core.

    `lanes` are the float32 lanes of the widest vector, `fma_lanes` the float32 multiply-adds that
    the core starts in a cycle, `load_lanes` the float32 values that it can load in one. `l3_bytes`
    are those of a third-level cache, 0 where there is none that is known of.
    `memory_operands` says that a multiply-add may take a factor from memory, as on x86, and
    `lane_factor` that it may take a lane of another vector as a factor, as on 64-bit ARM.
    """

    name: str
    lanes: int
    registers: int
    fma_lanes: int
    load_lanes: int
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int = 0
    cores: int = 1
    fma_latency: int = 4
    memory_operands: bool = True
    lane_factor: bool = False

    def resized(self, ratio: float) -> "Machine":
        """The same core for values of another size, so many times as many of which fit a vector."""
        return replace(
            self,
            lanes=int(self.lanes * ratio),
            fma_lanes=int(self.fma_lanes * ratio),
            load_lanes=int(self.load_lanes * ratio),
        )

    @property
    def broadcast_operands(self) -> bool:
        """Whether such a factor may be one value, repeated: AVX-512 came with that and with more
        than 16 registers."""
        return self.memory_operands and self.registers > 16

    @property
    def vector_widths(self) -> tuple[int, ...]:
        """The lane counts that one instruction can work on, widest first, down to 4."""
        return tuple(
            self.lanes >> step for step in range(self.lanes.bit_length()) if self.lanes >> step >= 4
        )

    def fma_cycles(self, lanes: int) -> float:
        """Cycles of one vector multiply-add of this width; two are started at once at best."""
        return max(lanes / self.fma_lanes, 0.5)

    def load_cycles(self, lanes: int) -> float:
        """Cycles of one vector load of this width; two are started at once at best."""
        return max(lanes / self.load_lanes, 0.5)

    def lanes_for(self, channels: int) -> int:
        """The vector width that covers so many channels in the fewest cycles, widest on a tie.

        A channel count that is no multiple of the width ends in a vector that overlaps its
        neighbour, so no width may exceed the channels; fewer than four are a vector of their own.
        """
        fitting = [width for width in self.vector_widths if width <= channels]
        if not fitting:
            return channels
        return min(fitting, key=lambda width: ceil(channels / width) * self.fma_cycles(width))

    def widest_for(self, channels: int) -> int:
        """The widest vector that so many channels fill, which covers them in the fewest loads."""
        return max((width for width in self.vector_widths if width <= channels), default=channels)
