"""Networks that compute the same with one step of compilation undone.

    normalisation_apart:   y = relu(conv(x, w) + b + s)    y = relu(conv(x, w / f) * f + b + s)
    epilogue_apart:        y = relu(conv(x, w) + b + s)    t = conv(x, w) + b;  y = relu(t + s)
    shuffle_apart:         y = conv(shuffled x, w)         t = shuffle(x);      y = conv(t, w)

What is undone becomes a pass of its own over the tensor, as it is where nobody fuses it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from pipeline.operators import Network, Operator

CONVOLUTIONS = ("first_convolution", "pointwise", "depthwise", "convolution")


def normalisation_apart(network: Network) -> Network:
    """Each convolution of an image without its factor and summand for each channel.

    The factors of the batch normalisation are gone; any others cost as much, so that they are here
    the largest weight of each channel.
    """
    return _each(network, _unfold)


def epilogue_apart(network: Network) -> Network:
    """Each convolution without ReLU, gate and shortcut."""
    return _each(network, _bare)


def shuffle_apart(network: Network) -> Network:
    """Each channel shuffle where the model has it, before the depthwise convolution."""
    shapes = dict(network.shapes)
    makers = {step.writes: step for step in network.operators}
    shuffles = {step.data: step.shuffle for step in network.operators if step.shuffle > 1}
    operators = []
    for step in network.operators:
        if step.writes in shuffles and makers[step.writes].kind == "depthwise":
            groups, shuffled = shuffles[step.writes], f"{step.data}_shuffled"
            shapes[shuffled] = shapes[step.data]
            operators.append(Operator("channelwise", step.data, shuffled, shuffle=groups))
            step = _of_shuffled(step, shuffled, groups)
        operators.append(replace(step, shuffle=1) if step.kind == "pointwise" else step)
    return replace(network, operators=tuple(operators), shapes=shapes)


def _each(
    network: Network, change: Callable[[Network, Operator], tuple[Operator, Operator] | None]
) -> Network:
    """The network with the convolutions that `change` gives a pass afterwards for."""
    shapes = dict(network.shapes)

    def changed() -> Iterator[Operator]:
        for number, step in enumerate(network.operators):
            pair = change(network, step) if step.kind in CONVOLUTIONS else None
            if pair is None:
                yield step
                continue
            # Several write one tensor where it is updated, or the parts of a concatenation.
            raw = f"{step.writes}_before{number}"
            images, _, height, width = network.shapes[step.writes]
            channels = 0 if step.weight is None else len(step.weight)
            shapes[raw] = (images, channels, height, width)
            yield replace(pair[0], writes=raw)
            yield replace(pair[1], data=raw)

    operators = tuple(changed())
    return replace(network, operators=operators, shapes=shapes)


def _unfold(network: Network, step: Operator) -> tuple[Operator, Operator] | None:
    if step.weight is None or step.bias is None or network.shapes[step.writes][2:] == (1, 1):
        return None
    axes = tuple(range(1, step.weight.ndim))
    factor = np.maximum(np.abs(step.weight).max(axis=axes), 1e-6).astype("float32")
    own = step.weight / factor.reshape(-1, *(1 for _ in axes))
    core, rest = _parted(step)
    return replace(core, weight=own, bias=np.zeros_like(step.bias)), replace(
        rest, weight=factor, bias=step.bias
    )


def _bare(network: Network, step: Operator) -> tuple[Operator, Operator] | None:
    return None if step.activation == "none" and step.residual is None else _parted(step)


def _parted(step: Operator) -> tuple[Operator, Operator]:
    """A convolution, and the pass that does what its epilogue did; both name its result."""
    core = replace(step, offset=0, activation="none", residual=None)
    rest = Operator(
        "channelwise",
        step.writes,
        step.writes,
        offset=step.offset,
        activation=step.activation,
        residual=step.residual,
    )
    return core, rest


def _of_shuffled(step: Operator, data: str, groups: int) -> Operator:
    """A depthwise convolution of the shuffled tensor."""
    assert step.weight is not None
    assert step.bias is not None
    order = np.arange(len(step.weight)).reshape(groups, -1).T.reshape(-1)
    return replace(step, data=data, weight=step.weight[order], bias=step.bias[order])
