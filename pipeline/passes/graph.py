"""The bindings of a Relax function as a table that can be asked who uses what."""

from dataclasses import dataclass, field
from typing import Any

from tvm import relax

from pipeline.passes.rewriting import is_call, shape_of

Shape = tuple[int, int, int, int]


@dataclass
class Graph:
    """Values and users of every variable by name, and shapes as [batch, channels, h, w]."""

    source: str
    result: str
    values: dict[str, Any] = field(default_factory=dict)
    users: dict[str, list[str]] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    names: dict[Any, str] = field(default_factory=dict)

    def name(self, variable: Any) -> str:
        """The tensor that a variable stands for; variables themselves may share their names."""
        return self.names[variable]

    def only_user(self, name: str) -> str | None:
        """The one binding that uses a tensor, if there is just one."""
        users = self.users.get(name, [])
        return users[0] if len(users) == 1 else None


def read_graph(function: relax.Function) -> Graph:
    """The table of a function of one dataflow block."""
    (source,) = function.params
    graph = Graph("image", "")
    graph.names[source] = graph.source
    graph.shapes[graph.source] = _four(shape_of(source))
    bindings = [binding for block in function.body.blocks for binding in block.bindings]
    for binding in bindings:
        _add(graph, binding)
    graph.result = graph.name(function.body.body)
    graph.users.setdefault(graph.result, []).append("the result of the network")
    return graph


def _add(graph: Graph, binding: Any) -> None:
    name, value = f"tensor{len(graph.names)}", binding.value
    if isinstance(value, relax.Var):
        graph.names[binding.var] = graph.name(value)
        return
    graph.shapes[name] = _four(shape_of(binding.var))
    graph.names[binding.var] = name
    if is_call(value, "reshape", "squeeze", "flatten", "nn.adaptive_avg_pool2d"):
        operand = graph.name(value.args[0])
        # Flattening one pixel is no change in a layout with the channels last, nor is averaging to
        # as many pixels as there are.
        if graph.shapes[operand] == graph.shapes[name]:
            graph.names[binding.var] = operand
            return
    graph.values[name] = value
    for read in dict.fromkeys(operands(graph, value)):
        graph.users.setdefault(read, []).append(name)


def operands(graph: Graph, value: Any) -> list[str]:
    """The tensors that a call reads, constants left out."""
    arguments = list(value.args) if isinstance(value, relax.Call) else []
    fields = [
        field
        for argument in arguments
        for field in (argument.fields if isinstance(argument, relax.Tuple) else [argument])
    ]
    return [graph.name(field) for field in fields if isinstance(field, relax.Var)]


def _four(shape: tuple[int, ...]) -> Shape:
    batch, channels, height, width = (*shape, 1, 1)[:4]
    return batch, channels, height, width
