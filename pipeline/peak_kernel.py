"""The sizes of the loop that finds the ceiling, and what it is called with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FUNCTION = "peak"
# 200_000 steps of 12 accumulators take about a millisecond: many times the cost of a call.
STEPS = 200_000
# So near to 0 that 1 + 1 * FACTOR rounds to 1: the numbers neither grow nor become denormal.
FACTOR = 2.0**-30


@dataclass(frozen=True)
class PeakKernel:
    """The loop's sizes; `accumulators` + 1 vectors of `lanes` floats must fit the registers;
    a float is of `dtype`."""

    lanes: int
    accumulators: int = 12
    tasks: int = 1
    steps: int = STEPS
    dtype: str = "float32"

    @property
    def macs(self) -> int:
        """Multiply-adds of one call."""
        return self.tasks * self.steps * self.accumulators * self.lanes

    @property
    def outputs(self) -> int:
        """Floats that one call writes, all of them 1."""
        return self.tasks * self.accumulators * self.lanes


def peak_arguments(kernel: PeakKernel) -> tuple[NDArray[Any], NDArray[Any]]:
    """The arrays that the compiled loop takes: factor and output."""
    factor = np.full(kernel.lanes, FACTOR, kernel.dtype)
    return factor, np.full(kernel.outputs, np.nan, kernel.dtype)
