"""Which operator a call of the graph is the core of."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import relax

from pipeline.errors import RequestError
from pipeline.operators import Operator
from pipeline.passes.graph import Graph
from pipeline.passes.rewriting import array_of, is_call, shape_of
from pipeline.passes.sink_channel_shuffle import channel_permutation

SERVED = (
    "convolutions (depthwise ones 3x3, grouped ones in groups of equal size), pools, means, gates, "
    "local response normalisation, dense layers"
)


def anchor(graph: Graph, name: str) -> Operator:
    """The operator of the call bound to `name`, without its epilogue.

    RequestError says which call is not served.
    """
    value = graph.values[name]
    if is_call(value, "nn.conv2d"):
        return _convolution(graph, name, value)
    if is_call(value, "matmul"):
        return _dense(graph, name, value)
    if is_call(value, "nn.max_pool2d", "nn.avg_pool2d"):
        return _pool(graph, name, value)
    if is_call(value, "nn.adaptive_avg_pool2d"):
        kind = "mean" if graph.shapes[name][2:] == (1, 1) else "adaptive_pool"
        return Operator(kind, graph.name(value.args[0]), name)
    if is_call(value, "mean") and [int(axis) % 4 for axis in value.attrs.axis] in ([3, 2], [2, 3]):
        return Operator("mean", graph.name(value.args[0]), name)
    if is_call(value, "multiply"):
        return _gate(graph, name, value)
    raise unserved(value)


def _convolution(graph: Graph, name: str, value: Any) -> Operator:
    data, weight = value.args[0], _constant(value)
    outputs, inputs, *kernel = weight.shape
    groups = int(value.attrs.groups)
    stride, padding = _only(value, value.attrs.strides), _only(value, value.attrs.padding)
    if _only(value, value.attrs.dilation) != 1:
        raise unserved(value)
    if kernel == [1, 1] and padding == 0 and stride == 1:
        shuffle, data = _shuffle(graph, data)
        flat = weight.reshape(outputs, inputs)
        return Operator(
            "pointwise", graph.name(data), name, groups=groups, shuffle=shuffle, weight=flat
        )
    source = graph.name(data)
    if inputs == 1 and groups == outputs == graph.shapes[source][1] and source != graph.source:
        if kernel != [3, 3] or padding != 1 or stride not in (1, 2):
            raise unserved(value)
        taps = weight.reshape(outputs, 3, 3)
        return Operator("depthwise", source, name, groups=groups, stride=stride, weight=taps)
    kind = "convolution"
    if source == graph.source:
        if groups > 1 or kernel[0] != kernel[1]:
            raise unserved(value)
        kind = "first_convolution"
    window = (kernel[0], kernel[1])
    return Operator(
        kind, source, name, groups=groups,
        kernel=window, stride=stride, padding=padding, weight=weight,
    )  # fmt: skip


def _only(value: Any, extents: Any) -> int:
    """The stride, padding or window that all sides have in common."""
    sizes = {int(extent) for extent in extents}
    if len(sizes) != 1:
        raise unserved(value)
    return sizes.pop()


def _dense(graph: Graph, name: str, value: Any) -> Operator:
    """A dense layer; behind an image that was flattened, a convolution with so large a window."""
    weight = np.ascontiguousarray(_constant(value).T)
    data = graph.name(value.args[0])
    flattened = graph.values.get(data)
    if flattened is None or not is_flattened(flattened):
        return Operator("pointwise", data, name, weight=weight)
    source = graph.name(flattened.args[0])
    _, channels, height, width = graph.shapes[source]
    windows = weight.reshape(len(weight), channels, height, width)
    return Operator("convolution", source, name, kernel=(height, width), padding=0, weight=windows)


def is_flattened(value: Any) -> bool:
    """Whether a call makes of each image one row of numbers."""
    if not is_call(value, "reshape", "flatten"):
        return False
    before, after = shape_of(value.args[0]), shape_of(value)
    return len(before) == 4 and after == (before[0], before[1] * before[2] * before[3])


def _constant(value: Any) -> NDArray[Any]:
    """The second operand, which has to be known when compiling."""
    weight = array_of(value.args[1])
    if weight is None:
        raise RequestError(f"{value.op.name} with a weight that is no constant is not served")
    return weight


def _shuffle(graph: Graph, data: Any) -> tuple[int, Any]:
    """The groups of the channel shuffle that made a tensor, and what it was made of."""
    value = graph.values.get(graph.name(data))
    permutation = None if value is None else channel_permutation(value)
    if value is None or permutation is None:
        return 1, data
    channels = len(permutation)
    for groups in range(2, channels):
        if channels % groups == 0:
            shuffled = np.arange(channels).reshape(groups, channels // groups).T.reshape(-1)
            if np.array_equal(permutation, shuffled):
                return groups, value.args[0]
    raise RequestError(
        "a permutation of channels before a grouped convolution is no channel shuffle; "
        "use nn.ChannelShuffle, or reorder the convolution's weights instead"
    )


def _pool(graph: Graph, name: str, value: Any) -> Operator:
    attrs = value.attrs
    data = graph.name(value.args[0])
    average = is_call(value, "nn.avg_pool2d")
    everything = [int(size) for size in attrs.pool_size] == list(graph.shapes[data][2:])
    padding = _only(value, attrs.padding)
    if average and everything and padding == 0:
        return Operator("mean", data, name)
    kernel, stride = _only(value, attrs.pool_size), _only(value, attrs.strides)
    if average and (attrs.ceil_mode or not (attrs.count_include_pad or padding == 0)):
        raise unserved(value)
    if _only(value, attrs.dilation) != 1:
        raise unserved(value)
    kind = "average_pool" if average else "max_pool"
    return Operator(kind, data, name, kernel=(kernel, kernel), stride=stride, padding=padding)


def _gate(graph: Graph, name: str, value: Any) -> Operator:
    """A product of a tensor and one value a channel."""
    tensors = [graph.name(arg) for arg in value.args if isinstance(arg, relax.Var)]
    if len(tensors) == 2:
        data, gate = sorted(tensors, key=lambda tensor: -np.prod(graph.shapes[tensor]))
        if graph.shapes[gate] == (*graph.shapes[data][:2], 1, 1):
            return Operator("scale", data, name, gate=gate)
    raise unserved(value)


def unserved(value: Any) -> RequestError:
    """The error for a call that no schedule serves."""
    operator = getattr(getattr(value, "op", value), "name", type(value).__name__)
    shapes = [shape_of(arg) for arg in getattr(value, "args", []) if isinstance(arg, relax.Var)]
    return RequestError(f"{operator} on {shapes} is not served; what is: {SERVED}")
