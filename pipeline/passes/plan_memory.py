"""Where the tensors of a network lie in one piece of memory.

    |  what kernels keep to themselves  |  a  |     b     |
                                        |    c    |  d  |          c and d when a and b are no more

What a kernel keeps to itself lies where the kernel before it had the same: in memory that is in the
cache. Tensors between kernels come after that, the largest first, each at the lowest place that is
free for as long as it lives. Measured with one thread on a Xeon of 2 MB a core: with all tensors in
places of their own, ShuffleNet 1.0x in 3 groups takes 4 % longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schedules.cpu.phases import rounded


@dataclass(frozen=True)
class Held:
    """So many bytes, from the first call that uses them to the last."""

    bytes: int
    first: int
    last: int

    def meets(self, other: "Held") -> bool:
        """Whether there is a call during which both are held."""
        return self.first <= other.last and other.first <= self.last


def planned(between: Sequence[Held], within: Sequence[Held]) -> tuple[list[int], int]:
    """The first byte of each, those between kernels and then those within one, and of all."""
    own: dict[int, int] = {}
    inner = []
    for one in within:
        inner.append(own.get(one.first, 0))
        own[one.first] = inner[-1] + rounded(one.bytes)
    begin = max(own.values(), default=0)
    placed: list[tuple[int, Held]] = []
    offsets = [0] * len(between)
    for number in sorted(range(len(between)), key=lambda number: -between[number].bytes):
        one, at = between[number], begin
        for offset, other in sorted(placed, key=lambda pair: pair[0]):
            if other.meets(one):
                if at + one.bytes <= offset:
                    break
                at = max(at, offset + rounded(other.bytes))
        offsets[number] = at
        placed.append((at, one))
    ends = [offset + rounded(one.bytes) for offset, one in placed]
    return [*offsets, *inner], max(ends, default=begin)
