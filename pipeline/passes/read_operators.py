"""Reading the operators of a network from its Relax graph, each with its whole epilogue.

    conv2d -> add(constant) -> add(shortcut) -> relu    becomes one pointwise operator
    relu(concat(conv2d, avg_pool2d))                    becomes two that write one tensor

Runs after batch normalisation is folded and every shuffle is a `take` before a convolution.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tvm import IRModule

from pipeline.errors import RequestError
from pipeline.operators import Network, Operator
from pipeline.passes.anchors import anchor, is_flattened, unserved
from pipeline.passes.graph import Graph, operands, read_graph
from pipeline.passes.normalisations import normalisations
from pipeline.passes.rewriting import array_of, is_call, shape_of

ACTIVATIONS = {"relax.nn.relu": "relu", "relax.sigmoid": "sigmoid"}
CONVOLUTIONS = ("first_convolution", "pointwise", "depthwise", "convolution")
# What stores its result as it is.
PLAIN = ("mean", "adaptive_pool", "normalisation")
# What makes no negative number of others.
KEEPING_SIGNS = ("max_pool", "average_pool", *PLAIN)
# What may add a shortcut as it stores its result.
ADDING = ("pointwise", "scale")


@dataclass(frozen=True)
class Place:
    """Where the operand of a concatenation is written, and what follows the concatenation."""

    tensor: str
    offset: int
    activation: str


def read_operators(module: IRModule) -> Network:
    """Every operator of "main"; RequestError names the first call that is not served."""
    function = module["main"]
    graph = read_graph(function)
    places, read = _places(graph)
    normalised, parts = normalisations(graph)
    read |= parts
    written = {graph.source}
    operators: list[Operator] = []
    for name, value in graph.values.items():
        if name in read or is_call(value, "take") or _becomes_a_window(graph, name):
            continue
        core = normalised.get(name) or anchor(graph, name)
        operator = _with_epilogue(graph, core, written, read)
        operators.append(_placed(operator, places))
        written.add(operators[-1].writes)
    _check_signs(operators)
    shape = shape_of(function.body.body)
    return Network(tuple(operators), graph.shapes, graph.source, graph.result, shape)


def _with_epilogue(graph: Graph, operator: Operator, written: set[str], read: set[str]) -> Operator:
    """The operator with every later call that can be part of how it stores its result."""
    while (user := graph.only_user(operator.writes)) in graph.values:
        value = graph.values[user]
        longer = _absorb(graph, operator, value, written)
        if longer is None:
            break
        read.add(user)
        operator = replace(longer, writes=user)
        if operator.activation != "none":
            break
    if operator.kind in CONVOLUTIONS and operator.bias is None:
        channels = graph.shapes[operator.writes][1]
        operator = replace(operator, bias=np.zeros(channels, "float32"))
    return operator


def _absorb(graph: Graph, operator: Operator, value: Any, written: set[str]) -> Operator | None:
    """The operator with one more call in its epilogue; None if that is not possible."""
    name = value.op.name if hasattr(value, "op") else ""
    if name in ACTIVATIONS and operator.kind not in PLAIN:
        return replace(operator, activation=ACTIVATIONS[name])
    if not is_call(value, "add"):
        return None
    constants = [array for array in map(array_of, value.args) if array is not None]
    if constants and operator.kind in CONVOLUTIONS and operator.residual is None:
        channels = graph.shapes[operator.writes][1]
        if constants[0].size in (1, channels):
            bias = np.broadcast_to(constants[0].reshape(-1), channels).astype("float32")
            return replace(operator, bias=bias if operator.bias is None else operator.bias + bias)
    others = [tensor for tensor in operands(graph, value) if tensor != operator.writes]
    if len(others) == 1 and operator.kind in ADDING and operator.residual is None:
        other = others[0]
        if other in written and graph.shapes[other] == graph.shapes[operator.writes]:
            return replace(operator, residual=other)
    return None


def _places(graph: Graph) -> tuple[dict[str, Place], set[str]]:
    """Where operands of concatenations go, and the bindings that are done with by that."""
    places: dict[str, Place] = {}
    read: set[str] = set()
    for name, value in graph.values.items():
        if not is_call(value, "concat"):
            continue
        if value.attrs.axis != 1:
            raise unserved(value)
        tensor, activation, user = name, "none", graph.only_user(name)
        if user in graph.values and graph.values[user].op.name in ACTIVATIONS:
            tensor, activation = user, ACTIVATIONS[graph.values[user].op.name]
        read |= {name, tensor}
        offset = 0
        for part in operands(graph, value):
            if part in places or graph.only_user(part) is None:
                raise RequestError("a tensor that is concatenated is also used elsewhere")
            places[part] = Place(tensor, offset, activation)
            offset += graph.shapes[part][1]
    return places, read


def _placed(operator: Operator, places: dict[str, Place]) -> Operator:
    """The operator writing its part of a concatenation, if it is one."""
    place = places.get(operator.writes)
    if place is None:
        return operator
    if operator.activation != "none" and place.activation not in ("none", operator.activation):
        raise RequestError(f"{operator.activation} before {place.activation} is not served")
    activation = place.activation if operator.activation == "none" else operator.activation
    return replace(operator, writes=place.tensor, offset=place.offset, activation=activation)


def _becomes_a_window(graph: Graph, name: str) -> bool:
    """Whether a call flattens images for dense layers, which read the images themselves."""
    users = [graph.values.get(user) for user in graph.users.get(name, [])]
    return is_flattened(graph.values[name]) and all(is_call(user, "matmul") for user in users)


def _check_signs(operators: list[Operator]) -> None:
    """A maximum over a border of zeros is right only where nothing is negative."""
    signed: set[str] = set()
    for operator in operators:
        if operator.kind == "max_pool" and operator.data in signed:
            raise RequestError("a maximum pool is served after a ReLU only")
        keeps = operator.kind in KEEPING_SIGNS and operator.data not in signed
        if operator.activation == "none" and not keeps:
            signed.add(operator.writes)
