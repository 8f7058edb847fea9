"""The ceiling: how many multiply-adds a second the cores can do at all.

    for task in parallel:                            # one per thread
        acc[accumulators x lanes] = 1                # lives in registers
        for step in STEPS:
            acc[a] += acc[a] * factor                # one FMA per accumulator

Each accumulator waits only for itself. An FMA takes 4 cycles and a core starts 2 to 4 a cycle, so
8 to 16 accumulators keep it busy; together with `factor` they must fit the register file. Both
factors are variables of the loop, or the compiler would take the product out of it and leave
additions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm.script import tirx as T

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


def build_peak(
    kernel: PeakKernel, target: object, path: Path, link: Callable[..., None] | None = None
) -> None:
    """Compile the loop for `target` (a tvm.target.Target) to a shared library at `path`."""
    built = tvm.compile(peak_module(kernel), target=target)
    built.export_library(str(path), fcompile=link)


def peak_arguments(kernel: PeakKernel) -> tuple[NDArray[Any], NDArray[Any]]:
    """The arrays that the compiled loop takes: factor and output."""
    factor = np.full(kernel.lanes, FACTOR, kernel.dtype)
    return factor, np.full(kernel.outputs, np.nan, kernel.dtype)


def peak_module(kernel: PeakKernel) -> tvm.IRModule:
    """The loop as TensorIR."""
    lanes, accumulators = kernel.lanes, kernel.accumulators
    tasks, steps, dtype = kernel.tasks, kernel.steps, kernel.dtype

    @T.prim_func  # type: ignore[untyped-decorator]
    def peak(factor_data: T.handle, out_data: T.handle) -> None:
        T.func_attr({"global_symbol": "peak", "tirx.noalias": True})
        factor = T.match_buffer(factor_data, (lanes,), dtype)
        out = T.match_buffer(out_data, (tasks * accumulators * lanes,), dtype)
        for task in T.parallel(tasks):
            acc = T.alloc_buffer((accumulators * lanes,), dtype, scope="local")
            for a in T.unroll(accumulators):
                for lane in T.vectorized(lanes):
                    acc[a * lanes + lane] = T.cast(1, dtype)
            for _ in T.serial(steps):
                for a in T.unroll(accumulators):
                    for lane in T.vectorized(lanes):
                        acc[a * lanes + lane] = (
                            acc[a * lanes + lane] + acc[a * lanes + lane] * factor[lane]
                        )
            for a in T.unroll(accumulators):
                for lane in T.vectorized(lanes):
                    out[(task * accumulators + a) * lanes + lane] = acc[a * lanes + lane]

    return tvm.IRModule({FUNCTION: peak})
