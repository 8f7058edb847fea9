"""A network as one CUDA graph: its kernels are captured once and replayed with one call.

    warm up         loads the code, and fills the pool from which the runtime takes memory
    capture         the kernels of one inference, on a stream of our own, are recorded, not run
    replay          one launch for all kernels; nothing is allocated, the host waits for nothing

The graph reads and writes the memory that it was captured with: an input is copied into the same
tensor, and the result is the same tensor after each replay. The memory between kernels goes back
to the runtime's pool after the capture, so what else runs in this process may write there, and
replays write over what it keeps: one network a process.
"""

import gc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from pipeline.errors import RequestError, WorkFailedError

# Before a capture: the first call loads code, the second finds its memory in the pool.
WARM_UPS = 2
REMEDY = "install it with: pip install 'shufflenet-tvm[cuda]'"


def cuda_runtime() -> Any:
    """CUDA's runtime for Python; RequestError if it is not installed."""
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise RequestError(f"CUDA graphs need the package cuda-bindings; {REMEDY}") from error
    return runtime


class Replay:
    """One inference, captured; `call` starts it on the stream of that handle and gives its result,
    and is called while nothing else runs."""

    def __init__(self, call: Callable[[int], Any], runtime: Any) -> None:
        self.runtime = runtime
        # Work on the legacy stream would end the capture of a stream that waits for it.
        self.stream = self._do("cudaStreamCreateWithFlags", runtime.cudaStreamNonBlocking)
        for _ in range(WARM_UPS):
            call(int(self.stream))
        self.wait()
        # A collected module would be unloaded, which no capture survives.
        gc.collect()
        gc.disable()
        try:
            self._do("cudaStreamBeginCapture", self.stream, _relaxed(runtime))
            try:
                self.result = call(int(self.stream))
            finally:
                graph = self._do("cudaStreamEndCapture", self.stream)
        finally:
            gc.enable()
        self.kernels = int(self._do("cudaGraphGetNodes", graph)[-1])
        self.graph = self._do("cudaGraphInstantiate", graph, 0)
        self._do("cudaGraphDestroy", graph)

    def launch(self) -> None:
        """Start one inference."""
        self._do("cudaGraphLaunch", self.graph, self.stream)

    def wait(self) -> None:
        """Return when all that was started is done."""
        self._do("cudaStreamSynchronize", self.stream)

    def close(self) -> None:
        """Free what the device holds of it, when what was started is done."""
        self.wait()
        self._do("cudaGraphExecDestroy", self.graph)
        self._do("cudaStreamDestroy", self.stream)

    def seconds(self, count: int) -> list[float]:
        """The time of each of `count` inferences, by events on the device."""
        events = [self._do("cudaEventCreate") for _ in range(count + 1)]
        self._do("cudaEventRecord", events[0], self.stream)
        for event in events[1:]:
            self.launch()
            self._do("cudaEventRecord", event, self.stream)
        self.wait()
        times = [float(self._do("cudaEventElapsedTime", *pair)) / 1e3 for pair in pairwise(events)]
        for event in events:
            self._do("cudaEventDestroy", event)
        return times

    def _do(self, name: str, *arguments: Any) -> Any:
        """What a call of the runtime gives; WorkFailedError names the call that failed."""
        status, *given = getattr(self.runtime, name)(*arguments)
        if int(status) != 0:
            raise WorkFailedError(f"{name} failed: {getattr(status, 'name', status)}")
        return given[0] if len(given) == 1 else given


def _relaxed(runtime: Any) -> Any:
    """The mode in which the runtime may allocate meanwhile, should its pool lack a block."""
    return runtime.cudaStreamCaptureMode.cudaStreamCaptureModeRelaxed
