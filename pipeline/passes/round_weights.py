"""Weights of fewer bits, such that the rounding of a filter's weights adds up to nearly nothing.

Where data is not negative, as after a ReLU, its mean is a large part of it, and what is wrong with
the sum of a filter's weights goes into every result with that mean. So after rounding each weight
to the nearest value, those are rounded the other way that add least to the squares of the errors
for what they take off their sum.
"""

import numpy as np


def rounded(weight: np.ndarray, dtype: str) -> np.ndarray:
    """Weights [filters, ...] in a narrower type."""
    filters = weight.reshape(len(weight), -1).astype("float64")
    nearest = filters.astype(dtype)
    error = nearest - filters
    total = error.sum(axis=1, keepdims=True)
    away = np.where(total > 0, -np.inf, np.inf).astype(dtype)
    other = np.nextafter(nearest, np.broadcast_to(away, nearest.shape))
    # Only where the weight lies between the two.
    step = np.where(error * total > 0, other.astype("float64") - nearest, 0)
    added = (error + step) ** 2 - error**2
    cost = np.divide(added, np.abs(step), out=np.full_like(added, np.inf), where=step != 0)
    order = np.argsort(cost, axis=1)
    # What is left of the sum when the first of them took the other value, the first two, and so on.
    left = total + np.cumsum(np.take_along_axis(step, order, axis=1), axis=1)
    taken = np.argmin(np.abs(np.concatenate([total, left], axis=1)), axis=1, keepdims=True)
    changes = np.empty_like(order)
    np.put_along_axis(changes, order, np.arange(order.shape[1])[None], axis=1)
    return np.where((changes < taken) & (step != 0), other, nearest).reshape(weight.shape)
