"""Tiles by hand whose sums stay in registers, as the compiler's code shows.

The rules for tiles count registers. What the compiler loads early on top of that depends on the
core, on the arithmetic, and on what else stands in the loop. A CPU that takes no operands from
memory pays a store and a load for each value that finds no register. So for 64-bit ARM, whose
registers are many enough that another tile costs little, the code of a kernel is looked at. Where a
loop of multiply-adds keeps vectors on the stack, its operators take the next of their tiles whose
code does not. Addresses may lie there: windows at edges have many, and loading one is little beside
the multiply-adds of a tile.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Any

from pipeline.analysis.code import code_of
from pipeline.targets import Target
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.operators import operator
from schedules.cpu.tiles import KernelTile

# Tiles of an operator to look at, the best first; by all counts later ones are much slower.
TRIES = 12


def settled(kernel: Kernel, tile: KernelTile, target: Target) -> KernelTile:
    """A tile by hand as it is compiled for a target."""
    return without_spills(kernel, tile, target) if target.machine.lane_factor else tile


def without_spills(kernel: Kernel, tile: KernelTile, target: Target) -> KernelTile:
    """The tile of a kernel, or one near it whose loops of multiply-adds use the stack less.

    Mostly it is enough to choose each operator's tile by its code alone; what is left is tried
    within the kernel: the second tile of each operator, then the third, as later ones are slower.
    """
    least = _spills(kernel, tile, target)
    if least == 0:
        return tile
    alone = tuple(_alone(stage, own, target) for stage, own in _tiled(kernel, tile))
    tile, least = _better(kernel, [tile, replace(tile, stages=alone)], target)
    choices = [_others(stage, own, target) for stage, own in _tiled(kernel, tile)]
    for rank in range(TRIES):
        for at, others in enumerate(choices):
            if least > 0 and rank < len(others):
                tile, least = _better(kernel, [tile, _with(tile, at, others[rank])], target)
    return tile


def _better(kernel: Kernel, tiles: list[KernelTile], target: Target) -> tuple[KernelTile, int]:
    """The first of the tiles that uses the stack least, and how often."""
    best, least = tiles[0], _spills(kernel, tiles[0], target)
    for other in tiles[1:]:
        if least == 0:
            break
        found = _spills(kernel, other, target)
        if found < least:
            best, least = other, found
    return best, least


@lru_cache
def _alone(stage: Stage, tile: Any, target: Target) -> Any:
    """The tile of an operator in a kernel of its own."""
    others = _others(stage, tile, target)
    if not others:
        return tile
    tiles = [KernelTile(tile.strip_rows, "strips", (choice,)) for choice in (tile, *others)]
    return _better(Kernel((stage,)), tiles, target)[0].stages[0]


def _others(stage: Stage, tile: Any, target: Target) -> list[Any]:
    """The tiles of the operator that are next best by hand; none of one that multiplies nothing."""
    if stage.work.macs == 0:
        return []
    by_hand = operator(stage.work).hand_tiles(stage.work, target.machine, tile.strip_rows)
    return [other for other in by_hand[:TRIES] if other != tile]


@lru_cache
def _spills(kernel: Kernel, tile: KernelTile, target: Target) -> int:
    """Accesses to vectors on the stack in the innermost loops that multiply and add."""
    code = code_of(scheduled(kernel, tile.stages, tile.sharing), target)
    return sum(
        counts.vector_spills
        for loop, counts in zip(code.loops, code.counts, strict=True)
        if loop.innermost and counts.macs
    )


def _tiled(kernel: Kernel, tile: KernelTile) -> list[tuple[Stage, Any]]:
    return list(zip(kernel.stages, tile.stages, strict=True))


def _with(tile: KernelTile, at: int, own: Any) -> KernelTile:
    """The tile with another of one of its stages."""
    return replace(tile, stages=(*tile.stages[:at], own, *tile.stages[at + 1 :]))
