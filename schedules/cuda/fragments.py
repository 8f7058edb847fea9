"""How matrices lie in the registers of a warp, as `mma` of PTX defines it.

A tensor core multiplies 16 pixels x 16 input channels by 16 input channels x 8 outputs. Thread t of
the warp, with row = t // 4 and pair = t % 4 * 2, holds

    data     [row (+ 8), pair (+ 1) (+ 8)]      loaded as four matrices of 8 x 8
    weights  [pair (+ 1) (+ 8), row]            packed so that 128 bits are two steps of 16
    sums     [row (+ 8), pair (+ 1)]
"""

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schedules.gpu import WARP

# Pixels, input channels and output channels of one multiplication.
ROWS, DEPTH, COLUMNS = 16, 16, 8
# Steps of the reduction whose weights are one access.
STEPS = 2


def steps_of(inputs: int) -> int:
    """Multiplications along a reduction."""
    return ceil(inputs / DEPTH)


def deep(values: int) -> int:
    """Values of a row up to whole multiplications."""
    return steps_of(values) * DEPTH


def fragments_shape(groups: int, inputs: int, outputs: int) -> tuple[int, ...]:
    """Of packed weights: [group, vector of outputs, two steps, thread, value]."""
    accesses = ceil(steps_of(inputs) / STEPS)
    return groups, outputs // COLUMNS, accesses, WARP, DEPTH * COLUMNS * STEPS // WARP


def fragments(weight: NDArray[Any]) -> NDArray[Any]:
    """Weights [group, k, output], outputs in whole vectors, as the threads of a warp hold them."""
    groups, inputs, outputs = weight.shape
    shape = fragments_shape(groups, inputs, outputs)
    whole = np.zeros((groups, shape[2] * STEPS * DEPTH, outputs), weight.dtype)
    whole[:, :inputs] = weight
    # k = two steps, step, half of its depth, pair of channels, channel of the pair
    apart = whole.reshape(groups, shape[2], STEPS, 2, 4, 2, shape[1], COLUMNS)
    threads = apart.transpose(0, 6, 1, 7, 4, 2, 3, 5)
    return np.ascontiguousarray(threads.reshape(shape))
