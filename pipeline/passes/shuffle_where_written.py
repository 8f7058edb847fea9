"""The channel shuffle from where its result is read to where its operand is made.

    a = pointwise(x)                        a = pointwise(x), its channels left shuffled
    b = depthwise(a)                ->      b = depthwise(a), its own weights in that order
    c = pointwise(shuffled b)               c = pointwise(b)

For CPUs that load neighbouring input channels at once. Each group of the first convolution leaves
its channels as far apart as there are groups; one without groups has its weights in another order
instead, which costs nothing.
"""

from collections import Counter
from dataclasses import replace

import numpy as np

from pipeline.operators import Network, Operator


def shuffle_where_written(network: Network) -> Network:
    """The network with every shuffle moved that stands after one depthwise of one convolution."""
    steps = list(network.operators)
    writers = Counter(step.writes for step in steps)
    readers = Counter(name for step in steps for name in (step.data, step.residual, step.gate))
    made = {step.writes: at for at, step in enumerate(steps)}
    for at, step in enumerate(steps):
        if step.kind != "pointwise" or step.shuffle == 1:
            continue
        between = made.get(step.data)
        first = None if between is None else made.get(steps[between].data)
        if between is None or first is None:
            continue
        alone = all(
            writers[name] == readers[name] == 1 and name != network.result
            for name in (steps[between].writes, steps[first].writes)
        )
        if alone and _can_move(steps[first], steps[between], step.shuffle):
            order = _order(_channels(steps[first]), step.shuffle)
            steps[first] = _shuffled(steps[first], step.shuffle, order)
            steps[between] = _reordered(steps[between], order)
            steps[at] = replace(step, shuffle=1)
    return replace(network, operators=tuple(steps))


def _can_move(first: Operator, between: Operator, groups: int) -> bool:
    return (
        first.kind == "pointwise"
        and between.kind == "depthwise"
        and first.offset == between.offset == 0
        and first.residual is None
        and first.groups in (1, groups)
    )


def _order(channels: int, groups: int) -> np.ndarray:
    """The channel of its operand that each channel of a shuffled tensor is."""
    return np.arange(channels).reshape(groups, -1).T.reshape(-1)


def _shuffled(first: Operator, groups: int, order: np.ndarray) -> Operator:
    """The convolution leaving its result shuffled."""
    return _reordered(first, order) if first.groups == 1 else replace(first, spread=groups)


def _reordered(step: Operator, order: np.ndarray) -> Operator:
    """The operator making its channels in another order."""
    assert step.weight is not None
    assert step.bias is not None
    return replace(step, weight=step.weight[order], bias=step.bias[order])


def _channels(step: Operator) -> int:
    assert step.weight is not None
    return len(step.weight)
