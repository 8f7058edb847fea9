"""Dividing by a number that is known when compiling: products with what a type can hold.

Of 11 bits 1/9 is off by 2.4e-4, which makes all averages too small alike. That adds up through a
network, where the rounding of single values averages out. Two factors come within 1e-7 of it.
"""

from functools import lru_cache

import numpy as np


@lru_cache
def factors(count: int, dtype: str) -> tuple[float, ...]:
    """What to multiply by, one after the other, the smallest first lest the product overflow."""
    if dtype != "float16":
        return (1 / count,)
    # All that it holds from one to two.
    large = 1 + np.arange(1024) / 1024
    small = (1 / (count * large)).astype(dtype).astype("float64")
    best = int(np.argmin(np.abs(small * large * count - 1)))
    return (float(small[best]), float(large[best])) if best else (float(small[0]),)
