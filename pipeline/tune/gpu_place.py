"""Where a kernel for a GPU runs: on that of this machine, or on one that a tracker lends.

here     many launches are captured in one CUDA graph, as a network's are, and events on the
         device tell how long it takes: nothing of a launch by the host is in it
there    TVM's clock, which launches one kernel after the other: of a kernel that takes less
         than its launch it says how long that takes
"""

import gc
from math import ceil
from pathlib import Path
from typing import Any

import tvm

from pipeline.devices.address import RpcAddress
from pipeline.gpu.graph import cuda_runtime
from pipeline.gpu.repeated import FEW, launches, repeated
from pipeline.gpu.runtime import load_runtime
from pipeline.tune.place import Here, Place, There

# An idle GPU's clock takes some milliseconds to rise.
SETTLE_SECONDS = 5e-3


class HereCuda(Here):
    """The GPU of this machine; RequestError without CUDA's runtime for Python."""

    def __init__(self) -> None:
        self.runtime = cuda_runtime()
        load_runtime()
        self.device = tvm.cuda(0)
        # Before a capture all garbage is collected; what is there by now never is any.
        gc.freeze()

    def load(self, library: Path) -> Any:
        """The module of a library."""
        return tvm.runtime.load_module(str(library))

    def use(self, threads: int) -> None:
        """A GPU has its own."""

    def answer(self) -> None:
        """Wait for all that was started: after a kernel at fault nothing in this process ends well
        any more."""
        self.device.sync()

    def times(self, library: Any, arguments: list[Any], repeats: int, shortest: int) -> list[float]:
        """Seconds of a launch: of so many graphs, each of about so many milliseconds."""
        kernel = library["main"]
        first = self._replayed(kernel, arguments, FEW, 2)[-1]
        count = launches(first, shortest)
        settle = ceil(SETTLE_SECONDS / (first * count))
        return self._replayed(kernel, arguments, count, settle + repeats)[settle:]

    def _replayed(self, kernel: Any, arguments: list[Any], count: int, times: int) -> list[float]:
        """Seconds of a launch among `count` in a graph that is replayed so many `times`."""
        graph = repeated(kernel, arguments, count, self.device, self.runtime)
        try:
            return graph.seconds(times)
        finally:
            graph.close()


class ThereCuda(There):
    """The GPU of a device in a session with it."""

    def __init__(self, address: RpcAddress, session_seconds: int) -> None:
        super().__init__(address, session_seconds, "cuda")

    def use(self, threads: int) -> None:
        """A GPU has its own."""

    def answer(self) -> None:
        """Wait for all that was started."""
        self.device.sync()


def gpu_place(address: RpcAddress | None, session_seconds: int) -> Place:
    """The GPU that is named."""
    return HereCuda() if address is None else ThereCuda(address, session_seconds)
