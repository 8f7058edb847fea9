"""The times that a network with stamps took, as the C library's clock_gettime leaves them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# struct timespec: seconds and nanoseconds, each as wide as a pointer.
SECONDS, NANOSECONDS = 0, 1


def between(stamps: Sequence[Any] | NDArray[Any]) -> list[float]:
    """Seconds of every call, from what a stamped network returned."""
    taken = np.asarray(stamps).astype(np.int64)
    moments = taken[:, SECONDS] * 10**9 + taken[:, NANOSECONDS]
    return [float(passed) / 1e9 for passed in np.diff(moments)]
