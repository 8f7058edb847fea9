"""Moves over loop nests that several schedules share."""

from dataclasses import dataclass
from typing import Any

from tvm import s_tir

from schedules.cpu.dealing import AWAY
from schedules.cpu.prefetch import Panel
from schedules.cpu.prefetch_rows import Rows


@dataclass(frozen=True)
class Nest:
    """What a stage leaves to do: its outer loops, the strip first, and its sums to begin.

    The sums are a block with a reduction whose first loop is `reduction`. A tile of them is the
    last loops of the block that begins them: `unrolled` of them, and lanes if `vectorized`. `panel`
    is what its weights meet, if they may be worth fetching ahead, and `rows` what rows of an image
    do. `row` is the loop over the rows of a strip, where there is one.
    """

    outer: tuple[Any, ...]
    sums: Any | None = None
    reduction: Any | None = None
    unrolled: int = 2
    vectorized: bool = True
    panel: Panel | None = None
    rows: Rows | None = None
    row: Any | None = None


# Equal tiles from which on a core is taken to guess what comes after the last. Those that were
# measured had 28 and more.
FEWEST_TILES = 8
# Asks the compiler to cut a loop where its last tile is narrower, or its first at an edge.
PARTITION = "pragma_loop_partition_hint"


def partition(sch: s_tir.Schedule, loop: Any) -> None:
    """Ask the compiler to cut a loop where its last tile is narrower.

    for x in range(3):                 for x in range(2):
        for i in range(4):                 for i in range(4): ...
            if x * 4 + i < 10: ...     for i in range(2): ...
    """
    sch.annotate(loop, PARTITION, 1)


def away_from_the_middle(sch: s_tir.Schedule, tiles: Any, pixels: int, columns: Any) -> None:
    """Ask that the lower half of the cores go through a loop over the tiles of so many pixels, each
    of as many as a loop over columns has, downwards.

    A core that reads what it is to update, the same channels of pixel after pixel, fetches those of
    pixels beyond its last one, which the next core is to update. Measured with two threads on Zen 4
    that have no cache in common: kernels of ShuffleNet 1.0x in 3 groups at 28 x 28 pixels take 74
    and 108 us for 82 and 116, the network 1.3 % less, and 0.5x 9 %; where they have one, and with
    one thread, it is the same, but for 0.5x, which takes 0.4 % longer with one. A loop whose last
    tile is narrower stays as it is: cut, it would be several loops of unknown extents.
    """
    count, each = (int(sch.get(loop).extent) for loop in (tiles, columns))
    if count >= FEWEST_TILES and count * each == pixels:
        sch.annotate(tiles, AWAY, 1)


def begin_apart(sch: s_tir.Schedule, nest: Nest) -> None:
    """Begin a tile of sums before its reduction, unrolled like the reduction itself.

    for k: for x, v in unroll:         for x, v in unroll: sum[x, v] = bias[v]
        if k == 0: sum[x, v] = bias[v] for k: for x, v in unroll:
        sum[x, v] += ...                   sum[x, v] += ...

    It is the last move on a nest: a block that two statements write can be moved no further.
    """
    loops = sch.get_loops(sch.decompose_reduction(nest.sums, nest.reduction))
    if nest.vectorized:
        sch.vectorize(loops.pop())
    for loop in loops[-nest.unrolled :]:
        sch.unroll(loop)


def keep_in_registers(sch: s_tir.Schedule, column: Any, vector: Any, lane: Any) -> None:
    """Unroll a tile and make its lanes one instruction, so that no index is left at run time."""
    sch.unroll(column)
    sch.unroll(vector)
    sch.vectorize(lane)
