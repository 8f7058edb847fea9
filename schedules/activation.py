"""What is applied to a sum before it is stored."""

from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.program import zero


def activate(value: Any, activation: str) -> Any:
    """The expression of "relu", "sigmoid" or "none" of a value."""
    if activation == "relu":
        return T.max(value, zero())
    if activation == "sigmoid":
        return T.sigmoid(value)
    return value
