"""Where the tensors of a network lie in one piece of memory.

    |     b     |  e  |        a        |  what kernels keep to themselves  |          c           |
    |   | d |   |     |                 |                                   |     |  f  |          |

Each line is a time: d lies where b was, which is no more.

The largest of what a kernel keeps to itself lies where the kernel before it had the same: in memory
that is in the cache. Measured with one thread on a Xeon of 2 MB a core: with all tensors in places
of their own, ShuffleNet 1.0x in 3 groups takes 4 % longer.

Tensors between kernels come after that, and what else a kernel keeps, the largest first. Each is in
the place that nobody else has for as long as it lives, and was used or will be the fewest calls
away, or in a new one. All lie around the middle of their place, since of each the lower half of the
cores makes the lower half: so the halves of the cores write what they have written before. Cores on
either side of the middle may be far from each other, with no cache in common. Then, measured with
two threads on Zen 4, where a line takes 18 ns that the other has: ShuffleNet 1.0x in 3 groups takes
2.5 to 3.5 % less than with tensors at the lowest place that is free, MobileNet 1.0 takes 2 % less;
where cores are near, and with one, it is the same.

Between two large places lies a small one. Where the end of a large one, which the last core writes,
met the beginning of the next, which is the first core's, that one came by 67 KB of the other's
lines: by what it fetched ahead, it seems. Measured as above, cores far: 1 to 2.5 % off ShuffleNet
1.0x in 3 groups, 2 to 3 % off 0.5x, up to 0.9 % off MobileNet 1.0; a gap of 64 KB in their place
does the same, and one of 32 KB nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import ceil

from schedules.cpu.phases import rounded
from schedules.machine import PAGE


@dataclass(frozen=True)
class Held:
    """So many bytes, from the first call that uses them to the last."""

    bytes: int
    first: int
    last: int

    def meets(self, other: "Held") -> bool:
        """Whether there is a call during which both are held."""
        return self.first <= other.last and other.first <= self.last

    def calls_from(self, other: "Held") -> int:
        """How many calls lie between both, which do not meet."""
        return max(self.first - other.last, other.first - self.last)


def planned(between: Sequence[Held], within: Sequence[Held]) -> tuple[list[int], int]:
    """The first byte of each, those between kernels and then those within one, and of all."""
    held = [*between, *within]
    largest: dict[int, int] = {}
    for number, one in enumerate(within, start=len(between)):
        known = largest.setdefault(one.first, number)
        if one.bytes > held[known].bytes:
            largest[one.first] = number
    own = list(largest.values())
    others = [number for number in range(len(held)) if number not in own]
    offsets, begin = [0] * len(held), 0
    for place in _apart(held, [*_places(held, own), *_places(held, others)]):
        size = rounded(held[place[0]].bytes)
        for number in place:
            left = size - rounded(held[number].bytes)
            offsets[number] = begin + left // 2 // PAGE * PAGE
        begin += size
    return offsets, begin


def _places(held: Sequence[Held], numbers: Sequence[int]) -> list[list[int]]:
    """Those of such numbers that share a place; of each the largest first."""
    places: list[list[int]] = []
    for number in sorted(numbers, key=lambda number: -held[number].bytes):
        one = held[number]
        free = {
            at: min(one.calls_from(held[other]) for other in place)
            for at, place in enumerate(places)
            if not any(one.meets(held[other]) for other in place)
        }
        if free:
            places[min(free, key=free.__getitem__)].append(number)
        else:
            places.append([number])
    return places


def _apart(held: Sequence[Held], places: Sequence[list[int]]) -> list[list[int]]:
    """The places in the order in which they lie: by turns one of the larger half and one of the
    smaller, and the largest at the end."""
    by_size = sorted(places, key=lambda place: -held[place[0]].bytes)
    half = ceil(len(by_size) / 2)
    pairs = zip_longest(by_size[:half], by_size[half:])
    return [place for pair in pairs for place in pair if place is not None][::-1]
