"""Local response normalisation, which the import spells out in small operators.

x * x -> reshape -> pad channels -> avg_pool3d -> squeeze -> * alpha -> + bias -> ^ 0.75 = divisor
x / divisor                                             becomes one normalisation of x
"""

from typing import Any

from tvm import relax

from pipeline.errors import RequestError
from pipeline.operators import LocalResponse, Operator
from pipeline.passes.graph import Graph, operands
from pipeline.passes.rewriting import array_of, is_call

EXPONENT = 0.75
# What makes the divisor, the last operator first.
CHAIN = (
    "power",
    "add",
    "multiply",
    "squeeze",
    "nn.avg_pool3d",
    "nn.pad",
    "reshape",
    "multiply",
)


def normalisations(graph: Graph) -> tuple[dict[str, Operator], set[str]]:
    """Every normalisation by its result, and the bindings that are part of one.

    RequestError for an exponent other than 3/4.
    """
    found: dict[str, Operator] = {}
    parts: set[str] = set()
    for name, value in graph.values.items():
        if not is_call(value, "divide") or not isinstance(value.args[1], relax.Var):
            continue
        data, divisor = (graph.name(argument) for argument in value.args)
        chain = _chain(graph, divisor, data)
        if chain:
            response = _response([graph.values[part] for part in chain])
            found[name] = Operator("normalisation", data, name, local_response=response)
            parts |= set(chain)
    return found, parts


def _chain(graph: Graph, divisor: str, data: str) -> list[str]:
    """The bindings from a divisor back to the squares of `data`; none if it is no such divisor."""
    names: list[str] = []
    at = divisor
    for operator in CHAIN:
        value = graph.values.get(at)
        read = set(operands(graph, value))
        if not is_call(value, operator) or graph.only_user(at) is None or len(read) != 1:
            return []
        names.append(at)
        (at,) = read
    return names if at == data else []


def _response(chain: list[Any]) -> LocalResponse:
    exponent, bias, alpha = (_number(call) for call in chain[:3])
    if exponent != EXPONENT:
        raise RequestError(
            f"local response normalisation with exponent {exponent} is not served; {EXPONENT} is"
        )
    size, *_ = (int(extent) for extent in chain[CHAIN.index("nn.avg_pool3d")].attrs.pool_size)
    return LocalResponse(size, alpha, bias)


def _number(call: Any) -> float:
    """The number that an operator combines a tensor with."""
    (array,) = (array for array in map(array_of, call.args) if array is not None)
    return float(array.reshape(-1)[0])
