"""Making loops and root blocks anew, around another body."""

from collections.abc import Callable, Mapping
from typing import Any

from tvm import s_tir, tirx


def with_body(loop: Any, body: Any, annotations: Mapping[str, Any] | None = None) -> Any:
    """The loop around another body, with its own annotations or others."""
    kept = loop.annotations if annotations is None else annotations
    return tirx.For(
        loop.loop_var, loop.min, loop.extent, loop.kind, body,
        loop.thread_binding, kept, loop.step,
    )  # fmt: skip


def within_root(stmt: Any, changed: Callable[[Any], Any]) -> Any:
    """The root block with its body changed; any other statement as it is."""
    if not isinstance(stmt, s_tir.SBlockRealize) or stmt.block.name_hint != "root":
        return stmt
    body, buffers = changed(stmt.block.body), stmt.block.alloc_buffers
    made = s_tir.SBlock([], [], [], "root", body, alloc_buffers=buffers)
    return s_tir.SBlockRealize([], True, made)
