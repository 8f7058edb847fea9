"""Rounding the weights of filters such that their results change least on what they read.

The weights of a filter are rounded one after the other, the bias first. After each, those that are
left are changed such that the results come as near as they can to what they were, and then rounded
themselves: what one rounding takes away, the others give back, as far as the inputs allow. This is
what Frantar et al. 2022 (GPTQ) do for weights of 4 bits.

With M = (1, x)(1, x)' on average, the best change of the others after an error e of the first is
-e times row 1 of the inverse of M, divided by its first element. The upper Cholesky factor of the
inverse has these rows for every number of weights that are done.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Added to the moments, in parts of the mean of their diagonal: inputs that always vary together
# would let weights drift far off.
DAMPING = 0.01
# Weights after which those far behind are changed, by one product of matrices for all.
BLOCK = 64


def compensated(weight: Array, bias: Array, moments: Array, dtype: str) -> tuple[Array, Array]:
    """Weights [groups, filters, inputs] and biases [groups, filters] that a narrower type holds.

    `moments` are [groups, 1 + inputs, 1 + inputs] of (1, inputs).
    """
    left = np.concatenate([bias[..., None], weight], axis=2)
    factor = _factor(moments)
    count = left.shape[2]
    for start in range(0, count, BLOCK):
        end = min(start + BLOCK, count)
        errors = np.empty((*left.shape[:2], end - start))
        for at in range(start, end):
            rounded = left[..., at].astype(dtype)
            row = factor[:, at]
            error = (left[..., at] - rounded) / row[:, at, None]
            left[..., at] = rounded
            left[..., at + 1 : end] -= error[..., None] * row[:, None, at + 1 : end]
            errors[..., at - start] = error
        left[..., end:] -= errors @ factor[:, start:end, end:]
    return left[..., 1:], left[..., 0]


def _factor(moments: Array) -> Array:
    """The upper Cholesky factor of the inverse of each matrix of moments, damped."""
    diagonal = np.diagonal(moments, axis1=1, axis2=2)[:, 1:]
    damping = DAMPING * diagonal.mean(axis=1) + np.finfo("float32").tiny
    damped = moments.copy()
    inputs = np.arange(1, moments.shape[1])
    damped[:, inputs, inputs] += damping[:, None]
    factor: Array = np.linalg.cholesky(np.linalg.inv(damped)).swapaxes(1, 2)
    return factor
