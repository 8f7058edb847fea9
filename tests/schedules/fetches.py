"""Reading which elements a scheduled function fetches."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from tvm import s_tir, tirx

from schedules.machine import LINE

PER_LINE = LINE // 4


def lines_of(places: Any) -> set[int]:
    """The lines that elements lie in."""
    return set(np.unique(np.asarray(places) // PER_LINE).tolist())


def fetches_in(
    stmt: Any, loops: tuple[Any, ...] = (), buffer: str = ""
) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The place that every fetch of a statement names, and the loops around it that count.

    Of a `buffer`, or of any.
    """
    if isinstance(stmt, tirx.Evaluate) and stmt.value.op.name == "tirx.prefetch":
        (load,) = stmt.value.args[0].args
        if load.source.name == buffer or not buffer:
            yield load.indices, loops
    elif isinstance(stmt, tirx.SeqStmt):
        for part in stmt.seq:
            yield from fetches_in(part, loops, buffer)
    elif isinstance(stmt, s_tir.SBlockRealize):
        yield from fetches_in(stmt.block.body, loops, buffer)
    elif isinstance(stmt, tirx.For | tirx.AttrStmt):
        around = (*loops, stmt) if isinstance(stmt, tirx.For) else loops
        yield from fetches_in(stmt.body, around, buffer)


def elements(indices: Any, loops: tuple[Any, ...], shape: tuple[int, ...], **known: int) -> Any:
    """The element that indices name, some beyond their extent, in every iteration of the loops,
    where other variables have `known` values."""
    flat: Any = 0
    for index, extent in zip(values(indices, loops, **known), shape, strict=True):
        flat = flat * extent + index
    return flat


def values(indices: Any, loops: tuple[Any, ...], **known: int) -> list[Any]:
    """Each index in every iteration of the loops, where other variables have `known` values."""
    grid = np.indices([int(loop.extent) for loop in loops])
    names = {loop.loop_var.name: turns for loop, turns in zip(loops, grid, strict=True)}
    assert len(names) == len(loops)
    functions = {"max": np.maximum, "min": np.minimum, "truncmod": np.fmod, "Div": np.floor_divide}
    numpy = {"T": SimpleNamespace(**functions), **known}
    zeros = np.zeros([int(loop.extent) for loop in loops], int)
    return [zeros + eval(str(index), {**numpy, **names}) for index in indices]
