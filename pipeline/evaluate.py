"""What a network of operators computes, in PyTorch's float32: operator by operator, on whole
tensors."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.operators import Network, Operator

# Called with each operator and what it reads, [images, channels, height, width], shuffled.
See = Callable[[Operator, Tensor], None]


def evaluate(network: Network, images: Tensor, see: See) -> Tensor:
    """The result for images [any number, planes, height, width]."""
    tensors = {network.source: images}
    with torch.inference_mode():
        for step in network.operators:
            data = _shuffled(tensors[step.data], step.shuffle)
            see(step, data)
            made = _shuffled(_made(step, data, tensors, network), step.spread)
            if step.residual is not None:
                made = made + tensors[step.residual]
            _write(step, _activated(made, step.activation), tensors, network)
    return tensors[network.result]


def _made(step: Operator, data: Tensor, tensors: dict[str, Tensor], network: Network) -> Tensor:
    """What an operator computes before its epilogue."""
    size = network.shapes[step.writes][2:]
    if step.kind == "max_pool":
        return _largest(step, data, size)
    if step.kind == "average_pool":
        return functional.avg_pool2d(data, step.kernel, step.stride, step.padding)
    if step.kind in ("mean", "adaptive_pool"):
        return functional.adaptive_avg_pool2d(data, 1 if step.kind == "mean" else size)
    if step.kind == "scale":
        return data * tensors[step.gate or ""]
    if step.local_response is not None:
        response = step.local_response
        return functional.local_response_norm(
            data, response.size, response.alpha, 0.75, response.bias
        )
    if step.weight is None or step.bias is None:
        return data
    weight, bias = torch.from_numpy(step.weight), torch.from_numpy(step.bias)
    if step.kind == "channelwise":
        return data * weight.view(-1, 1, 1) + bias.view(-1, 1, 1)
    if step.kind == "pointwise":
        return functional.conv2d(data, weight[..., None, None], bias, groups=step.groups)
    if step.kind == "depthwise":
        weight = weight[:, None]
    groups = len(weight) if step.kind == "depthwise" else step.groups
    return functional.conv2d(data, weight, bias, step.stride, step.padding, groups=groups)


def _largest(step: Operator, data: Tensor, size: tuple[int, int]) -> Tensor:
    """A maximum pool of values that are not negative, so that zeros may lie around them."""
    over = [
        max(0, (made - 1) * step.stride + kernel - step.padding - extent)
        for extent, made, kernel in zip(data.shape[2:], size, step.kernel, strict=True)
    ]
    framed = functional.pad(data, (step.padding, over[1], step.padding, over[0]))
    return functional.max_pool2d(framed, step.kernel, step.stride)[..., : size[0], : size[1]]


def _shuffled(tensor: Tensor, groups: int) -> Tensor:
    return tensor if groups == 1 else functional.channel_shuffle(tensor, groups)


def _activated(tensor: Tensor, activation: str) -> Tensor:
    if activation == "relu":
        return tensor.relu()
    return tensor.sigmoid() if activation == "sigmoid" else tensor


def _write(step: Operator, made: Tensor, tensors: dict[str, Tensor], network: Network) -> None:
    """Keep a result, which may be some channels of a tensor that others have begun."""
    channels = network.shapes[step.writes][1]
    if made.shape[1] == channels:
        tensors[step.writes] = made
        return
    if step.writes not in tensors:
        tensors[step.writes] = made.new_zeros((len(made), channels, *made.shape[2:]))
    tensors[step.writes][:, step.offset : step.offset + made.shape[1]] = made
