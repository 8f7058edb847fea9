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
from pathlib import Path

import tvm
from tvm.script import tirx as T

from pipeline.peak_kernel import FUNCTION, PeakKernel


def build_peak(
    kernel: PeakKernel, target: object, path: Path, link: Callable[..., None] | None = None
) -> None:
    """Compile the loop for `target` (a tvm.target.Target) to a shared library at `path`."""
    built = tvm.compile(peak_module(kernel), target=target)
    built.export_library(str(path), fcompile=link)


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
