"""Which constants each kernel of a network fetches for those after it.

    read by kernels:      | 0 | 1 |  2  |  3  |             4             |
    fetched by them:          |0|   1   |   2   |       3       |

Every kernel fetches what the next one reads, and of what those after it read as much as they have
no time to fetch themselves: a classifier's weights are fetched by several kernels.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil

from schedules.machine import LINE


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


def fetches(calls: Sequence[Fetcher]) -> Fetches:
    """What each call fetches; a function as many bytes wherever it is called."""
    total = calls[-1].read
    # How far has been fetched before each call, at least.
    front = [0] * len(calls) + [total]
    for at, call in reversed(list(enumerate(calls))):
        front[at] = max(call.read, front[at + 1] - call.room)
    each: dict[Hashable, list[int]] = {}
    for at, call in enumerate(calls):
        each.setdefault(call.function, []).append(front[at + 1] - front[at])
    sizes = {function: ceil(sum(own) / len(own) / LINE) * LINE for function, own in each.items()}
    begins, fetched = [], 0
    for at, call in enumerate(calls):
        size = sizes[call.function]
        begins.append(max(min(max(fetched, front[at]), total - size), 0))
        fetched = begins[-1] + size
    return Fetches(begins, sizes)
