"""What is applied to a sum before it is stored."""

from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.program import zero


def activate(value: Any, activation: str, dtype: str = "float32", lanes: int = 1) -> Any:
    """The expression of "relu", "sigmoid" or "none" of a value, or of a vector of `lanes`."""
    if activation == "relu":
        nothing = zero(dtype)
        return T.max(value, nothing if lanes == 1 else T.broadcast(nothing, lanes))
    if activation == "sigmoid":
        # No instruction computes it, and what compilers offer for it takes float32.
        wide, own = (kind if lanes == 1 else f"{kind}x{lanes}" for kind in ("float32", dtype))
        return T.cast(T.sigmoid(T.cast(value, wide)), own)
    return value
