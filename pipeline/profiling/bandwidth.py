"""How fast cores can read, from each cache and from DRAM: the slopes of a roofline.

    for task in parallel:
        for pass, block:
            acc[0 .. accumulators] += data[task, block]

A buffer that fits a cache is read from there after the first pass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tvm
from tvm.script import tirx as T

FUNCTION = "read"
VECTORS = 8  # accumulators: enough for the latency of an addition
FLOAT_BYTES = 4


@dataclass(frozen=True)
class ReadKernel:
    """A loop over `tasks` parts of `floats` each, `passes` times."""

    lanes: int
    tasks: int
    floats: int
    passes: int

    @property
    def bytes(self) -> int:
        """What one call reads."""
        return self.tasks * self.floats * self.passes * FLOAT_BYTES

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the buffer."""
        return self.tasks, self.floats // self.step, self.step

    @property
    def step(self) -> int:
        """Floats that are read between two additions to one accumulator."""
        return VECTORS * self.lanes


def read_kernel(lanes: int, tasks: int, size: int, passes: int) -> ReadKernel:
    """For a buffer of about `size` bytes, shared evenly by the tasks."""
    step = VECTORS * lanes
    floats = max(size // FLOAT_BYTES // tasks // step, 1) * step
    return ReadKernel(lanes, tasks, floats, passes)


def build_read(
    kernel: ReadKernel, target: object, path: Path, link: Callable[..., None] | None = None
) -> None:
    """Compile the loop for `target` (a tvm.target.Target) to a shared library at `path`."""
    tvm.compile(_module(kernel), target=target).export_library(str(path), fcompile=link)


def _module(kernel: ReadKernel) -> tvm.IRModule:
    tasks, blocks, step = kernel.shape
    passes = kernel.passes

    @T.prim_func  # type: ignore[untyped-decorator]
    def read(data_handle: T.handle, out_handle: T.handle) -> None:
        T.func_attr({"global_symbol": "read", "tirx.noalias": True})
        data = T.match_buffer(data_handle, (tasks, blocks, step), "float32")
        out = T.match_buffer(out_handle, (tasks, step), "float32")
        for task in T.parallel(tasks):
            acc = T.alloc_buffer((step,), "float32", scope="local")
            for lane in T.vectorized(step):
                acc[lane] = T.float32(0)
            for _ in T.serial(passes):
                for block in T.serial(blocks):
                    for lane in T.vectorized(step):
                        acc[lane] = acc[lane] + data[task, block, lane]
            for lane in T.vectorized(step):
                out[task, lane] = acc[lane]

    return tvm.IRModule({FUNCTION: read})
