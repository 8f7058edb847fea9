"""What is applied to a sum before it is stored."""

from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.program import zero


def activate(value: Any, activation: str, lanes: int = 1) -> Any:
    """The expression of "relu", "sigmoid" or "none" of a value, or of a vector of `lanes`."""
    if activation == "relu":
        return T.max(value, zero() if lanes == 1 else T.broadcast(zero(), lanes))
    if activation == "sigmoid":
        return T.sigmoid(value)
    return value
