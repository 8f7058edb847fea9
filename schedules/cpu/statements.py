"""Making loops and blocks anew around another body, and bodies with rows elsewhere."""

from collections.abc import Callable, Mapping
from typing import Any

from tvm import s_tir, tirx
from tvm.ir import TensorLoad
from tvm_ffi import structural_map


def with_body(loop: Any, body: Any, annotations: Mapping[str, Any] | None = None) -> Any:
    """The loop around another body, with its own annotations or others."""
    kept = loop.annotations if annotations is None else annotations
    return tirx.For(
        loop.loop_var, loop.min, loop.extent, loop.kind, body,
        loop.thread_binding, kept, loop.step,
    )  # fmt: skip


def loops_changed(
    stmt: Any, change: Callable[[Any, tuple[Any, ...]], Any], around: tuple[Any, ...] = ()
) -> Any:
    """The statement with what `change` makes of a loop and those around it in that loop's place.

    Where it makes None of a loop, those inside follow; what is under a condition stays.
    """
    if isinstance(stmt, tirx.For):
        made = change(stmt, around)
        if made is not None:
            return made
        return with_body(stmt, loops_changed(stmt.body, change, (*around, stmt)))
    if isinstance(stmt, tirx.SeqStmt):
        return tirx.SeqStmt([loops_changed(one, change, around) for one in stmt.seq])
    if isinstance(stmt, tirx.AttrStmt):
        body = loops_changed(stmt.body, change, around)
        return tirx.AttrStmt(stmt.node, stmt.attr_key, stmt.value, body)
    if isinstance(stmt, s_tir.SBlockRealize):
        return within_block(stmt, loops_changed(stmt.block.body, change, around))
    return stmt


def within_block(realize: Any, body: Any) -> Any:
    """A block around another body."""
    old = realize.block
    made = s_tir.SBlock(
        old.iter_vars, old.reads, old.writes, old.name_hint, body,
        old.init, old.alloc_buffers, old.match_buffers, old.annotations,
    )  # fmt: skip
    return s_tir.SBlockRealize(realize.iter_values, realize.predicate, made)


def rows_moved(body: Any, nearer: Mapping[Any, Any]) -> Any:
    """The body with the rows of buffers so many rows nearer to the first."""

    def place(buffer: Any, indices: Any) -> list[Any]:
        row, *rest = indices
        return [row - nearer[buffer], *rest]

    def load(found: Any) -> Any:
        if found.source not in nearer:
            return found
        return tirx.BufferLoad(found.source, place(found.source, found.indices))

    def store(found: Any) -> Any:
        if found.buffer not in nearer:
            return found
        return tirx.BufferStore(found.buffer, found.value, place(found.buffer, found.indices))

    return structural_map(body, [(TensorLoad, load), (tirx.BufferStore, store)])
