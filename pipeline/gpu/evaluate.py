"""Evaluating the index arithmetic of a kernel for many threads at once."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Environment = Mapping[str, Any]
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "FloorDiv": np.floor_divide,
    "FloorMod": np.mod,
    "Min": np.minimum,
    "Max": np.maximum,
    "LT": np.less,
    "LE": np.less_equal,
    "GT": np.greater,
    "GE": np.greater_equal,
    "EQ": np.equal,
    "NE": np.not_equal,
    "And": np.logical_and,
    "Or": np.logical_or,
}
LEAVES = ("FloatImm", "IntImm", "Var")
CHOICE = "tirx.if_then_else"


def evaluate(node: Any, known: Environment) -> Any:
    """The value of an expression of integers, of the shape that the variables' values broadcast to.

    ValueError for what index arithmetic does not have.
    """
    kind = type(node).__name__
    if kind == "IntImm":
        return int(node.value)
    if kind == "Var":
        return known[node.name]
    if kind in BINARY:
        return BINARY[kind](evaluate(node.a, known), evaluate(node.b, known))
    if kind == "Cast":
        return evaluate(node.value, known)
    raise ValueError(f"an index has a {kind}, whose value is not known")


def loads(node: Any, known: Environment) -> Iterator[tuple[Any, Any]]:
    """The loads in an expression, each with the condition under which it is executed or None."""
    kind = type(node).__name__
    if kind == "TensorLoad":
        yield node, None
    elif kind == "Call" and node.op.name == CHOICE:
        holds = evaluate(node.args[0], known)
        for load, inner in loads(node.args[1], known):
            yield load, holds if inner is None else np.logical_and(holds, inner)
    elif kind == "Cast":
        yield from loads(node.value, known)
    elif kind in BINARY:
        yield from loads(node.a, known)
        yield from loads(node.b, known)
    elif kind == "Call":
        for argument in node.args:
            yield from loads(argument, known)
    elif kind not in LEAVES:
        raise ValueError(f"a value has a {kind}, whose loads are not known")
