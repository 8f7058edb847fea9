"""Reading the operators of a network from its Relax graph, each with its whole epilogue.

    conv2d -> add(constant) -> add(shortcut) -> relu    becomes one pointwise operator
    relu(concat(conv2d, avg_pool2d))                    becomes two that write one tensor

Runs after batch normalisation is folded and every shuffle is a `take` before a convolution.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from tvm import IRModule, relax

from pipeline.errors import RequestError
from pipeline.operators import NONNEGATIVE, Network, Operator
from pipeline.passes.anchors import anchor_of, constant, op_name, permutation

Shape = tuple[int, int, int, int]
ACTIVATIONS = {"relax.nn.relu": "relu", "relax.sigmoid": "sigmoid"}


@dataclass
class Graph:
    """The bindings of a function, and who uses what."""

    values: dict[str, Any]
    users: dict[str, list[str]]
    shapes: dict[str, Shape]
    aliases: dict[str, str] = field(default_factory=dict)

    def name(self, variable: Any) -> str:
        """The tensor that a variable stands for; a reshape to [batch, channels] is the same."""
        name = str(variable.name_hint)
        return self.aliases.get(name, name)

    def only_user(self, name: str) -> str | None:
        """The one binding that uses a tensor, if there is just one."""
        users = self.users.get(name, [])
        return users[0] if len(users) == 1 else None


@dataclass(frozen=True)
class Place:
    """Where the operand of a concatenation is written."""

    tensor: str
    offset: int
    activation: str


def read_operators(module: IRModule) -> Network:
    """Every operator of "main"; RequestError names the first one that is not served."""
    function = module["main"]
    graph = read_graph(function)
    places = _places(graph)
    skipped = _concatenations(graph)
    operators: list[Operator] = []
    written: set[str] = {str(function.params[0].name_hint)}
    absorbed: set[str] = set(skipped)
    for name in graph.values:
        if name in absorbed or name in graph.aliases:
            continue
        anchor = anchor_of(graph, name)
        operator = _with_epilogue(graph, anchor, name, written, absorbed)
        operator = _placed(operator, places)
        operators.append(operator)
        written.add(operator.writes)
    _check_max_pools(operators)
    result = graph.name(function.body.body)
    return Network(
        tuple(_in_order(operators)),
        graph.shapes,
        str(function.params[0].name_hint),
        result,
        tuple(int(extent) for extent in function.body.body.ty.shape),
    )
