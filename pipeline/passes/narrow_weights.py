"""The weights of a network in a narrower type, chosen so that its results change little.

Each operator takes the rounding that changes its results least on what it reads; those whose
filters have so many inputs that their moments would take long keep the sum of each filter instead.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pipeline.operators import Network, Operator
from pipeline.passes.compensate_rounding import compensated
from pipeline.passes.round_weights import rounded
from pipeline.passes.second_moments import Moments, second_moments

# Inputs of a filter. The inverse of the moments of 2048 takes a second, as of all in MobileNet.
MOST_INPUTS = 2048


def narrowed(network: Network, dtype: str) -> Network:
    """The network with weights and biases that `dtype` holds, as float32 still."""
    chosen = [step for step in network.operators if _is_compensated(step)]
    moments = iter(second_moments(network, chosen))
    return replace(network, operators=tuple(_each(network, moments, dtype)))


def _each(network: Network, moments: Iterator[Moments], dtype: str) -> Iterator[Operator]:
    for step in network.operators:
        if step.weight is None or step.bias is None or step.kind == "channelwise":
            # The type of its constants is their only rounding.
            yield step
        elif _is_compensated(step):
            yield _compensated(step, next(moments), dtype)
        else:
            yield replace(step, weight=rounded(step.weight, dtype).astype("float32"))


def _is_compensated(step: Operator) -> bool:
    if step.weight is None or step.bias is None or step.kind == "channelwise":
        return False
    return bool(step.weight[0].size <= MOST_INPUTS)


def _compensated(step: Operator, moments: Moments, dtype: str) -> Operator:
    assert step.weight is not None
    assert step.bias is not None
    groups = len(moments)
    weight, bias = compensated(
        step.weight.reshape(groups, len(step.weight) // groups, -1).astype("float64"),
        step.bias.reshape(groups, -1).astype("float64"),
        moments,
        dtype,
    )
    shape = step.weight.shape
    return replace(
        step,
        weight=np.ascontiguousarray(weight.reshape(shape), "float32"),
        bias=np.ascontiguousarray(bias.reshape(-1), "float32"),
    )
