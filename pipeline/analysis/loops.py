"""The loops of a function: a block that all others of the loop come from and go back to."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.analysis.assembly import Block, Instruction


@dataclass(frozen=True)
class Loop:
    """A loop; `own` are its instructions outside the loops within it, in the order of the code.

    `parent` is the number of the loop around it in the list that has both.
    """

    header: int
    parent: int | None
    innermost: bool
    own: tuple[Instruction, ...]


def loops_of(blocks: Sequence[Block]) -> list[Loop]:
    """The loops of a function in the order of their headers, an outer one before its inner ones."""
    bodies = _bodies(blocks)
    headers = sorted(bodies)
    parents = {header: _parent(header, bodies) for header in headers}
    loops = []
    for header in headers:
        inside = [other for other in headers if parents[other] == header]
        inner = {block for other in inside for block in bodies[other]}
        own = sorted(bodies[header] - inner)
        instructions = tuple(one for block in own for one in blocks[block].instructions)
        parent = parents[header]
        number = None if parent is None else headers.index(parent)
        loops.append(Loop(header, number, not inside, instructions))
    return loops


def _parent(header: int, bodies: dict[int, set[int]]) -> int | None:
    """The header of the smallest other loop around a header."""
    around = [other for other in bodies if other != header and header in bodies[other]]
    return min(around, key=lambda other: len(bodies[other]), default=None)


def _bodies(blocks: Sequence[Block]) -> dict[int, set[int]]:
    """The blocks of every loop by its header."""
    before = _before(blocks)
    dominators = _dominators(blocks, before)
    bodies: dict[int, set[int]] = {}
    for number in dominators:
        for header in blocks[number].next:
            if header not in dominators[number]:
                continue
            body = bodies.setdefault(header, {header})
            waiting = [number]
            while waiting:
                one = waiting.pop()
                if one not in body:
                    body.add(one)
                    waiting += before[one]
    return bodies


def _before(blocks: Sequence[Block]) -> list[list[int]]:
    before: list[list[int]] = [[] for _ in blocks]
    for number, block in enumerate(blocks):
        for after in block.next:
            before[after].append(number)
    return before


def _dominators(blocks: Sequence[Block], before: list[list[int]]) -> dict[int, set[int]]:
    """For every block that can be reached, those that stand on every way to it."""
    order = _reached(blocks)
    dominators = {number: set(order) for number in order}
    dominators[0] = {0}
    changed = True
    while changed:
        changed = False
        for number in order[1:]:
            ways = [dominators[one] for one in before[number] if one in dominators]
            found = set.intersection(*ways) | {number}
            if found != dominators[number]:
                dominators[number], changed = found, True
    return dominators


def _reached(blocks: Sequence[Block]) -> list[int]:
    """The blocks that can be reached, those on the way to another mostly before it."""
    order, waiting, seen = [], [0], {0}
    while waiting:
        number = waiting.pop()
        order.append(number)
        for after in blocks[number].next:
            if after not in seen:
                seen.add(after)
                waiting.append(after)
    return order
