"""Which constants each kernel of a network fetches for those after it.

    read by kernels:      | 0 | 1 |  2  |  3  |             4             |
    fetched by them:          |0|   1   |   2   |       3       |

Every kernel fetches what the next one reads, and of what those after it read as much as they have
no time to fetch themselves: a classifier's weights are fetched by several kernels.

Cores share the classifier's weights, of which each reads its half, so each fetches of that half:

    weights of the classifier   |  first half  |  other half  |
    fetched by kernels 3, 4     |   3   |  4   |   3   |  4   |
    by core                     |      0       |      1       |

Measured with two threads on Zen 4, ShuffleNet 1.0x in 3 groups, the classifier takes 32 to 38 us
for 39 to 60 where both cores have a last cache in common, and 35 to 42 us for 63 to 73 where not.

What lies in a cache longest leaves it first. Where as much is fetched as the second-level cache
holds, the beginning has left it when it is read, and what is then read in its place drives out the
next lines that were fetched, to the end. So there is a limit.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil

from schedules.machine import LINE, Machine

# A second-level cache of so many bytes a core is filled to a half at most. Measured on a Xeon with
# one thread, inferences one after the other, that takes 2 % off ShuffleNet 1.0x in 3 groups, whose
# classifier takes 115 us for 128, and 0.5 % off MobileNet 1.0. Smaller ones were measured without a
# limit only.
LARGE = 2**21


@dataclass(frozen=True)
class Fetcher:
    """A call of a `function` with time to fetch `room` bytes, after which `read` bytes of all have
    been read."""

    function: Hashable
    read: int
    room: int


@dataclass(frozen=True)
class Fetches:
    """The first byte that each call fetches, and the number that each function fetches."""

    begins: list[int]
    sizes: dict[Hashable, int]


def fetches(calls: Sequence[Fetcher], ahead: int | None = None) -> Fetches:
    """What each call fetches; a function as many bytes wherever it is called.

    None fetches anything that lies more than `ahead` bytes beyond what has been read after it.
    """
    total = calls[-1].read
    most = [total if ahead is None else min(total, call.read + ahead) for call in calls]
    # How far has been fetched before each call, at least.
    front = [0] * len(calls) + [most[-1]]
    for at, call in reversed(list(enumerate(calls))):
        front[at] = min(max(call.read, front[at + 1] - call.room), most[max(at - 1, 0)])
    first = [max(far, call.read) for far, call in zip(front, calls, strict=False)]
    each: dict[Hashable, list[int]] = {}
    for at, call in enumerate(calls):
        each.setdefault(call.function, []).append(min(front[at + 1] - first[at], call.room))
    sizes = {function: _lines(sum(own) / len(own)) for function, own in each.items()}
    begins, fetched = [], 0
    for at, call in enumerate(calls):
        size = sizes[call.function]
        begins.append(max(min(max(fetched, first[at]), total - size), 0))
        fetched = begins[-1] + size
    return Fetches(begins, sizes)


def most_ahead(machine: Machine) -> int | None:
    """How far ahead of what has been read a core may fetch, in bytes, if there is a limit."""
    return machine.l2_bytes // 2 if machine.l2_bytes >= LARGE else None


def halves(begin: int, size: int, apart: Sequence[range]) -> tuple[int, int]:
    """The first byte that the first turns of a call fetch, and by how much that of the other turns
    comes after it.

    What they fetch follows each other, but for constants that are read `apart`: of these the first
    half is for those cores that have the first turns, here as there.
    """
    for read in apart:
        if begin in read:
            return read.start + _lines((begin - read.start) / 2), _lines(len(read) / 2)
    return begin, _lines(size / 2)


def _lines(size: float) -> int:
    """So many bytes and what is left of the last line."""
    return ceil(size / LINE) * LINE
