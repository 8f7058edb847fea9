"""Adding up neighbouring lanes of vectors: what to add to what, and where the sums end up.

    a b c d  of 16 lanes, 4 lanes each channel    sums of 4 lanes, as they lie in memory

    | a0 a1 a2 a3 | a4 .. |       | a0+a2 b0+b2 a1+a3 b1+b3 | ..
    | b0 b1 b2 b3 | b4 .. |  ->   | c0+c2 d0+d2 c1+c3 d1+d3 | ..  ->  | a c b d | a c b d | ..

Each round makes half as many vectors, by adding lanes of two to others of these two. Both are taken
from within blocks of 128 bits, as far as channels are no wider: that is one instruction, where
lanes that cross blocks take one with a third operand, which no multiply-add can begin beside.
Measured on Zen 4 with vectors of 512 bits: a multiply-add and a shuffle within blocks take one
cycle together, a multiply-add and one across blocks two, as with the addition of neighbours that
narrower vectors have. Only where a vector is one block, as on ARM, are neighbours added: there that
is one instruction for all three.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import tirx

# Bytes of the lanes that an instruction moves among each other.
BLOCK = 16


@dataclass(frozen=True)
class Pair:
    """An addition: `lower` lanes of its one or two sources, end to end, to as many `upper` ones."""

    sources: tuple[int, ...]
    lower: list[int]
    upper: list[int]


def rounds(vectors: int, lanes: int, depth: int, block: int) -> list[list[Pair]]:
    """The additions of each round, of as many as there are halvings in `depth`.

    Sources are numbers of vectors that the round before made. Vectors of `lanes` have `depth`
    lanes a channel, powers of two; `block` lanes are 128 bits.
    """
    made, group, wide = [lanes] * vectors, depth, lanes > block
    found = []
    for _ in range(depth.bit_length() - 1):
        pairs = [
            _pair(sources, [made[at] for at in sources], group, block, wide)
            for sources in _of_equal_length(made)
        ]
        made = [len(pair.lower) for pair in pairs]
        found.append(pairs)
        # Where sources alternate, the lanes of a channel still lie in both halves of a block.
        group = group if wide and group == block else group // 2
    return found


def added(values: Sequence[Any], made: Sequence[Sequence[Pair]]) -> list[Any]:
    """What is left of vectors when the lanes of each channel are added up."""
    values = list(values)
    for pairs in made:
        values = [
            tirx.Shuffle([values[at] for at in pair.sources], pair.lower)
            + tirx.Shuffle([values[at] for at in pair.sources], pair.upper)
            for pair in pairs
        ]
    return values


def channels_in_order(
    made: Sequence[Sequence[Pair]], vectors: int, lanes: int, depth: int
) -> np.ndarray:
    """The channel that each `depth` lanes of all vectors have to hold for sums to be in order."""
    held = [[(v * lanes + lane) // depth for lane in range(lanes)] for v in range(vectors)]
    for pairs in made:
        joined = [[one for at in pair.sources for one in held[at]] for pair in pairs]
        held = [[own[at] for at in pair.lower] for own, pair in zip(joined, pairs, strict=True)]
    return np.argsort([place for own in held for place in own])


def _of_equal_length(made: Sequence[int]) -> list[tuple[int, ...]]:
    """Neighbours of one length by twos, as far as they go: only the last vectors are shorter."""
    longest = made.count(made[0])
    twos = [tuple(range(at, min(at + 2, longest))) for at in range(0, longest, 2)]
    return [*twos, *((at,) for at in range(longest, len(made)))]


def _pair(
    sources: tuple[int, ...], lengths: Sequence[int], group: int, block: int, wide: bool
) -> Pair:
    lanes = lengths[0]
    if len(sources) == 1 and group <= block < lanes:
        # Its halves are as good as two vectors.
        lanes //= 2
        lengths = [lanes, lanes]
    starts = [lanes * number for number in range(len(lengths))]
    within = min(block, lanes)
    if group > block:
        # Halves of channels, block by block.
        step = group // 2
        lower = [
            start + first + at
            for start in starts
            for first in range(0, lanes, group)
            for at in range(step)
        ]
    elif wide and group == block:
        step = within // 2
        lower = [
            start + first + at
            for first in range(0, lanes, within)
            for at in range(step)
            for start in starts
        ]
    else:
        step = 1
        lower = [
            start + first + at
            for first in range(0, lanes, within)
            for start in starts
            for at in range(0, within, 2)
        ]
    return Pair(sources, lower, [at + step for at in lower])
