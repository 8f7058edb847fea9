"""Which PyTorch module each operator of a network came from.

    Operator(pointwise, 240 channels, 28x28, 3 groups)     features.stage1.unit2.expand_conv3

torch.export notes with each call the modules it was made in; the import into Relax drops that. So
the operators are matched with the calls again: in order, among those that do the same (a
convolution with as many weights and groups to an image of that size, a pool of as many channels).
Passes that merge or move small operators leave convolutions, pools and means in their order.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch

from pipeline.frontend import export_program
from pipeline.operators import Network, Operator

UNKNOWN = ""
# What a call or operator does, and its extents.
Signature = tuple[object, ...]
WEIGHTED = "weighted"


def origins(module: torch.nn.Module, example: torch.Tensor, network: Network) -> list[str]:
    """The path of a module for every operator, in order; "" where no call does the same."""
    program = export_program(module, example)
    weights = {**program.state_dict, **program.constants}
    names = program.graph_signature.inputs_to_parameters
    sizes = {name: prod(weights[target].shape) for name, target in names.items()}
    paths: defaultdict[Signature, deque[str]] = defaultdict(deque)
    for node in program.graph.nodes:
        signature = _of_call(node, sizes)
        if signature is not None:
            paths[signature].append(_path(node))
    return [_first(paths[_of_operator(step, network)]) for step in network.operators]


def common_path(paths: Sequence[str]) -> str:
    """The innermost module that all of them are in."""
    known = [path.split(".") for path in paths if path]
    shared: list[str] = []
    for parts in zip(*known, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return ".".join(shared)


def _first(found: deque[str]) -> str:
    return found.popleft() if found else UNKNOWN


def _of_operator(step: Operator, network: Network) -> Signature:
    _, _, height, width = network.shapes[step.writes]
    channels = network.shapes[step.data][1]
    if step.weight is not None:
        return WEIGHTED, step.weight.size, step.groups, height, width
    kind = "average_pool" if step.kind == "adaptive_pool" else step.kind
    return kind, channels, height, width


def _of_call(node: torch.fx.Node, sizes: dict[str, int]) -> Signature | None:
    rule = CALLS.get(str(node.target)) if node.op == "call_function" else None
    return rule(node, sizes) if rule else None


def _convolution(node: torch.fx.Node, sizes: dict[str, int]) -> Signature:
    groups = _argument(node, 6, 1)
    return WEIGHTED, sizes[_argument(node, 1, None).name], groups, *_extents(node)[1:]


def _linear(node: torch.fx.Node, sizes: dict[str, int]) -> Signature:
    return WEIGHTED, sizes[_argument(node, 1, None).name], 1, 1, 1


def _pool(kind: str) -> Callable[[torch.fx.Node, dict[str, int]], Signature]:
    def signature(node: torch.fx.Node, _: dict[str, int]) -> Signature:
        channels, height, width = _extents(node)
        mean = kind == "average_pool" and (height, width) == (1, 1)
        return ("mean" if mean else kind), channels, height, width

    return signature


def _mean(node: torch.fx.Node, _: dict[str, int]) -> Signature:
    return "mean", _extents(node)[0], 1, 1


def _normalisation(node: torch.fx.Node, _: dict[str, int]) -> Signature:
    return "normalisation", *_extents(node)


def _scale(node: torch.fx.Node, _: dict[str, int]) -> Signature:
    return "scale", *_extents(node)


CALLS: dict[str, Callable[[torch.fx.Node, dict[str, int]], Signature]] = {
    "aten.conv2d.default": _convolution,
    "aten.linear.default": _linear,
    "aten.max_pool2d.default": _pool("max_pool"),
    "aten.avg_pool2d.default": _pool("average_pool"),
    "aten.adaptive_avg_pool2d.default": _pool("average_pool"),
    "aten.mean.dim": _mean,
    "aten.mul.Tensor": _scale,
    # The last of the operators that a local response normalisation is.
    "aten.div.Tensor": _normalisation,
}


def _argument(node: torch.fx.Node, index: int, otherwise: Any) -> Any:
    return node.args[index] if len(node.args) > index else otherwise


def _extents(node: torch.fx.Node) -> tuple[int, int, int]:
    """Channels, height and width of what a call makes."""
    _, channels, height, width = (*(int(extent) for extent in node.meta["val"].shape), 1, 1)[:4]
    return channels, height, width


def _path(node: torch.fx.Node) -> str:
    """The innermost module in which the call was made."""
    *_, (path, _) = node.meta["nn_module_stack"].values()
    return str(path)
