"""Arrays that begin where vectors of any width may begin."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ALIGNMENT = 64


def aligned(data: Array) -> Array:
    """A copy that begins where compiled code expects it to."""
    memory = np.empty(data.nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy = memory[start : start + data.nbytes].view(data.dtype).reshape(data.shape)
    copy[...] = data
    return copy
