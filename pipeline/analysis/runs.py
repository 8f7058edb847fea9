"""How often the loops of machine code run, by the loops they were made of.

Both are in the same order, and one turn of a loop makes as many multiply-adds, or stores as many
bytes, before and after the compiler; or a whole number of times as many, where it took several
turns together; or those of all turns of short loops, where it left no loop of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.analysis.counts import Counts
from pipeline.analysis.loops import Loop
from pipeline.analysis.nests import Nest

# Loops that the compiler leaves none of are few neighbours: a main tile and what is left over.
NEIGHBOURS = 4


@dataclass(frozen=True)
class Found:
    """How often a loop runs in a call, and each loop around it, the nearest first."""

    runs: float
    around: tuple[int, ...]


@dataclass(frozen=True)
class Share:
    """What the turns of a nest make of one thing, and how often it runs."""

    nest: Nest
    made: int

    @property
    def total(self) -> int:
        """In a call of the kernel."""
        return self.made * self.nest.runs


def runs_of(
    loops: Sequence[Loop], counts: Sequence[Counts], nests: Sequence[Nest]
) -> list[float | None]:
    """The runs of each loop, None where they are not known.

    `loops` may be of several functions, one after the other; parents are numbers in the list.
    Where loops with conditions made something else of the turns, runs are means.
    """
    working = {n: one.macs for n, one in enumerate(counts) if one.macs}
    shares = [Share(nest, nest.macs) for nest in nests if nest.macs]
    found = _matched(working, shares)
    found |= _rest(working, found, sum(share.total for share in shares))
    moving = {
        n: one.stored for n, one in enumerate(counts) if loops[n].innermost and n not in working
    }
    stores = [Share(nest, nest.stored) for nest in nests if nest.stored and not nest.macs]
    found |= _matched({n: made for n, made in moving.items() if made}, stores)
    for number in reversed(range(len(loops))):
        parent = loops[number].parent
        if number in found and parent is not None and parent not in found:
            outer = _outer(found[number])
            if outer is not None:
                found[parent] = outer
    return [found[n].runs if n in found else None for n in range(len(loops))]


def _matched(made: dict[int, int], shares: Iterable[Share]) -> dict[int, Found]:
    """The loops, by what a turn of each makes, whose nests are found."""
    left, found = list(shares), dict[int, Found]()
    for number, amount in made.items():
        same = next((share for share in left if share.made == amount), None)
        if same is not None:
            found[number] = Found(same.nest.runs, same.nest.around)
            left.remove(same)
    for number, amount in made.items():
        if number in found:
            continue
        for start, end in _spans(len(left)):
            together = _together(left[start:end], amount)
            if together is not None:
                found[number] = together
                del left[start:end]
                break
    return found


def _rest(made: dict[int, int], found: dict[int, Found], total: int) -> dict[int, Found]:
    """The other loops, running as often as makes up for what those that are found leave."""
    others = {number: amount for number, amount in made.items() if number not in found}
    left = total - sum(one.runs * made[number] for number, one in found.items())
    runs = left / sum(others.values()) if others else 0
    return {number: Found(runs, ()) for number in others if runs > 0}


def _spans(count: int) -> Iterator[tuple[int, int]]:
    """Every run of a few neighbours, the shortest first."""
    for size in range(1, NEIGHBOURS + 1):
        for start in range(count - size + 1):
            yield start, start + size


def _together(shares: Sequence[Share], amount: int) -> Found | None:
    """The loop whose turns of that amount make what these nests make; None if there is none."""
    runs, rest = divmod(sum(share.total for share in shares), amount)
    chain = (shares[0].nest.runs, *shares[0].nest.around)
    if rest or runs == 0 or chain[0] % runs:
        return None
    if len(shares) > 1 and not all(runs in share.nest.around for share in shares):
        return None
    return Found(runs, tuple(one for one in chain if one < runs))


def _outer(found: Found) -> Found | None:
    """The loop around a loop."""
    outer = [one for one in found.around if one < found.runs]
    return Found(outer[0], tuple(outer[1:])) if outer else None
