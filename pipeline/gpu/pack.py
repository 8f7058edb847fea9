"""Weights in the order in which kernels read them; in float32 until they are handed on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.operators import Operator
from schedules.cuda.chain import PRODUCTS, Chain
from schedules.cuda.fragments import fragments
from schedules.cuda.order import Order, Table, gathered
from schedules.cuda.vectors import padded

Array = NDArray[Any]
Arrays = dict[str, Array]


def grouped(operator: Operator, dtype: str) -> Arrays:
    """A pointwise convolution: [group, k, output] and [group, output], outputs in vectors."""
    weight, bias = parameters(operator)
    outputs = weight.shape[0] // operator.groups
    by_group = weight.reshape(operator.groups, outputs, -1).transpose(0, 2, 1)
    bias = bias.reshape(operator.groups, outputs)
    return {"weight": _wide(by_group, dtype), "bias": _wide(bias, dtype)}


def first_convolution(operator: Operator, inputs: int, dtype: str) -> Arrays:
    """A first convolution as a pointwise one over the `inputs` values under its window."""
    weight, bias = parameters(operator)
    flat = weight.reshape(len(weight), -1).T
    rows = np.zeros((1, inputs, flat.shape[1]), "float32")
    rows[0, : len(flat)] = flat
    return {"weight": _wide(rows, dtype), "bias": _wide(bias[None], dtype)}


def depthwise(operator: Operator, table: Table | None = None) -> Arrays:
    """A depthwise convolution: [tap, place] and [place], the channels as in the table."""
    weight, bias = parameters(operator)
    order = np.arange(len(weight)) if table is None else table.reshape(-1)
    taps = gathered(weight.reshape(len(weight), -1), order).T
    return {"weight": np.ascontiguousarray(taps), "bias": gathered(bias, order)}


def projection(operator: Operator, order: Order, table: Table) -> Arrays:
    """A pointwise convolution whose input channels lie as in the table [group, ...]."""
    weight, bias = parameters(operator)
    outputs = weight.shape[0] // operator.groups
    packed = np.zeros((operator.groups, table[0].size, outputs), "float32")
    for group in range(operator.groups):
        channels = table[group].reshape(-1)
        k = order.shuffled(channels) - group * order.inputs
        own = weight[group * outputs : (group + 1) * outputs]
        packed[group][channels >= 0] = own[:, k[channels >= 0]].T
    bias = bias.reshape(operator.groups, outputs)
    return {"weight": _wide(packed, order.dtype), "bias": _wide(bias, order.dtype)}


def expansion(operator: Operator, runs: Table) -> Arrays:
    """A pointwise convolution that makes the runs [consumer, producer, run] of channels."""
    weight, bias = parameters(operator)
    found = gathered(weight, runs).reshape(-1, runs.shape[2], weight.shape[1])
    return {
        "weight": np.ascontiguousarray(found.transpose(0, 2, 1)),
        "bias": gathered(bias, runs).reshape(-1, runs.shape[2]),
    }


def as_fragments(work: Chain, constants: Arrays) -> Arrays:
    """The constants of a chain, with the weights of its products as tensor cores take them."""
    products = {f"{step}_weight" for step in PRODUCTS if getattr(work, step)}
    return {
        role: fragments(array) if role in products else array for role, array in constants.items()
    }


def parameters(operator: Operator) -> tuple[Array, Array]:
    """Weight and bias as in PyTorch; ValueError if the operator has none."""
    if operator.weight is None or operator.bias is None:
        raise ValueError(f"{operator.kind} that writes {operator.writes} has no weights")
    return operator.weight, operator.bias


def _wide(array: Array, dtype: str) -> Array:
    """The last axis up to whole vectors of that type, with zeros."""
    missing = padded(array.shape[-1], dtype) - array.shape[-1]
    return np.ascontiguousarray(np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)]))
