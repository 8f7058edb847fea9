"""The moves of 1x1 convolutions: tiles of pixels, and input channels of a shuffled tensor."""

from typing import Any

from tvm import s_tir

from schedules.cpu.moves import away_from_the_middle, keep_in_registers, partition


def tiled(
    sch: s_tir.Schedule, name: str, tile: Any, work: Any
) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """Tile the result and put the sums in registers.

    The block of sums, the outer loops, and those over the tiles of a vector block.
    """
    width = work.source.width
    out, sums = sch.get_sblock(name), sch.get_sblock(f"{name}_sum")
    *pixels, g, v, lane = sch.get_loops(out)
    each = tile.strip_rows if len(pixels) == 2 else tile.strip_rows * width
    strip, within = sch.split(pixels[0], [None, each])
    along = [within, *pixels[1:]]
    run = along.pop()
    length = int(sch.get(run).extent)
    column_block, column = sch.split(run, [None, tile.columns])
    tiles = (*along, column_block)
    vector_block, vector = sch.split(v, [None, tile.vectors])
    sch.reorder(strip, g, vector_block, *tiles, column, vector, lane)
    sch.compute_at(sums, column_block, preserve_unit_loops=True)
    sch.set_scope(sums, 0, "local")
    partition(sch, column_block)
    if work.residual is not None and work.source.rows % tile.strip_rows == 0:
        away_from_the_middle(sch, column_block, length, column)
    keep_in_registers(sch, column, vector, lane)
    return sums, (strip, g, vector_block), tiles


def in_turns(sch: s_tir.Schedule, k: Any, groups: int) -> tuple[Any, ...]:
    """Take input channels by as many as the shuffle before has groups, all in one iteration.

    for k in range(80):                            for turn in range(26):
        sum += data[source(k)] * weight[k]             for place in unroll(3):
                                                           k = turn * 3 + place
                                                           sum += ...
                                                   for place in unroll(2): k = 78 + place ...

    Each place then reads channels that are neighbours, from its own beginning on, so that nothing
    is left to divide in the loop: quotient and remainder by 3 are some twenty instructions.
    """
    if groups == 1:
        return (k,)
    turn, place = sch.split(k, [None, groups])
    partition(sch, turn)
    sch.unroll(place)
    return turn, place
