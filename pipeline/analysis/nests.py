"""The loops that a kernel is lowered to, before the back end: what each makes, how often.

This is where numbers of turns are known: from machine code they could be guessed only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import tirx
from tvm.ir import IRModule
from tvm.tirx import PrimFunc
from tvm.tirx.compilation_pipeline import get_tir_pipeline

from pipeline.compiling import compiling
from pipeline.targets import Target
from schedules.cpu.shares import one_turn_of


@dataclass(frozen=True)
class Nest:
    """A loop: how often a call runs its body, and what one turn makes outside inner loops.

    `macs` are multiply-adds of values, `stored` the bytes that leave the tile. `around` is how
    often each loop around it runs, the nearest first.
    """

    runs: int
    macs: int
    stored: int
    around: tuple[int, ...]


def nests_of(function: PrimFunc, target: Target) -> list[Nest]:
    """The loops of a scheduled function, each before those within it."""
    bound = tvm.target.Target(target.tvm, target.tvm)
    lower, _, _ = get_tir_pipeline("default")
    with compiling(), bound:
        module = IRModule({"main": function.with_attr("global_symbol", "main")})
        module = lower(tirx.transform.BindTarget(bound)(module))
    nests: list[Nest] = []
    _walk(module["main"].body, (1,), {}, nests)
    return nests


def _walk(
    statement: Any, around: tuple[int, ...], extents: dict[Any, int], nests: list[Nest]
) -> None:
    """Add the loops of a statement that runs as often as the first of `around`.

    `extents` are those of the loops around it, by their variables.
    """
    for loop, times in _loops(statement, extents):
        extent = int(loop.extent)
        runs = around[0] * extent // times
        stores = list(_stores(loop.body))
        macs = sum(_macs(store) for store in stores)
        nests.append(Nest(runs, macs, sum(_stored(store) for store in stores), around))
        _walk(loop.body, (runs, *around), {**extents, loop.loop_var: extent}, nests)


def _loops(node: Any, extents: dict[Any, int], times: int = 1) -> Iterator[tuple[Any, int]]:
    """The outermost loops of a statement, in order, each run one in so many times."""
    if _repeats(node):
        yield node, times
        return
    if isinstance(node, tirx.IfThenElse):
        times *= extents.get(one_turn_of(node.condition), 1)
    for part in _parts(node):
        yield from _loops(part, extents, times)


def _stores(node: Any) -> Iterator[Any]:
    """The stores of a statement outside its loops."""
    if isinstance(node, tirx.BufferStore):
        yield node
    elif not _repeats(node):
        for part in _parts(node):
            yield from _stores(part)


def _repeats(node: Any) -> bool:
    return isinstance(node, tirx.For) and int(node.extent) > 1


def _parts(node: Any) -> list[Any]:
    """The statements that a statement is made of; both ways of a condition count."""
    if isinstance(node, tirx.SeqStmt):
        return list(node.seq)
    parts = (getattr(node, name, None) for name in ("body", "then_case", "else_case"))
    return [part for part in parts if part is not None]


def _macs(store: Any) -> int:
    """The multiply-adds of values that a store into a tile is."""
    value = store.value
    if store.buffer.scope() != "local" or not isinstance(value, tirx.Add):
        return 0
    return _lanes(value) if any(isinstance(one, tirx.Mul) for one in (value.a, value.b)) else 0


def _stored(store: Any) -> int:
    if store.buffer.scope() == "local":
        return 0
    return _lanes(store.value) * int(tvm.DataType(str(store.buffer.dtype)).itemsize)


def _lanes(value: Any) -> int:
    return int(tvm.DataType(str(value.ty)).lanes)
