"""Times the kernels of a bundle for a GPU one at a time, in a process with TVM's runtime alone.

    python -m pipeline.profiling.cuda_worker REQUEST.json REPLY.json

One inference is watched to learn which kernels it calls with which tensors. Then, by turns, the
network is replayed as one CUDA graph, as anyone would run it, and for each call a graph of many
launches of its kernel on the same tensors. All times are those of events on the device.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tvm
import tvm_ffi

from pipeline.gpu.graph import Replay, cuda_runtime
from pipeline.gpu.repeated import FEW, Repeated, launches, repeated
from pipeline.gpu.runtime import load_runtime
from pipeline.profiling.replay_worker import FEWEST_ROUNDS

BUILTIN = "vm.builtin."
Call = tuple[str, Callable[..., Any], tuple[Any, ...]]

# Of the graph of one kernel.
MILLISECONDS = 1.0
# Inferences of a turn; the first of them finds the caches as the turn before left them.
TURN = 5


def profile(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the whole and of each call, on the first GPU."""
    load_runtime()
    device, runtime = tvm.cuda(0), cuda_runtime()
    library = tvm.runtime.load_module(request["library"])
    image = tvm.runtime.tensor(np.load(request["input"]), device)
    calls, expected = record(library, image, device)
    found = {
        "names": [name for name, _, _ in calls],
        "same": same(calls, expected),
        "gpu": str(device.device_name),
    }
    main = tvm.relax.VirtualMachine(library, device)["main"]

    def start(stream: int) -> Any:
        with tvm_ffi.use_raw_stream(device, stream):
            return main(image)

    whole = Replay(start, runtime)
    # Nothing takes memory from the pool any more, which the whole would write over.
    apart = [_alone(call, device, runtime) for call in calls]
    return found | {"nodes": whole.kernels} | by_turns(whole, apart, request["seconds"])


def record(library: Any, image: Any, device: Any) -> tuple[list[Call], Any]:
    """The calls of one inference, and its output. The tensors stay alive with the calls."""
    calls: list[Call] = []

    def watch(function: Any, symbol: str, before: bool, _: Any, *arguments: Any) -> int:
        if before and not symbol.startswith(BUILTIN):
            calls.append((symbol, function, arguments))
        return 0  # go on with the call

    machine = tvm.relax.VirtualMachine(library, device)
    machine.set_instrument(watch)
    return calls, machine["main"](image).numpy().copy()


def same(calls: Sequence[Call], expected: Any) -> bool:
    """Whether the replayed calls compute what the network computes."""
    output = calls[-1][2][-1]
    output.copyfrom(np.full(output.shape, np.nan, "float32"))
    for _, function, arguments in calls:
        function(*arguments)
    return bool(np.array_equal(output.numpy().reshape(-1), expected.reshape(-1)))


def by_turns(whole: Replay, apart: Sequence[Repeated], seconds: float) -> dict[str, Any]:
    """The times of whole inferences, and the median of a launch of each kernel."""
    times: list[float] = []
    rounds: list[list[float]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(rounds) < FEWEST_ROUNDS:
        times += whole.seconds(TURN)[1:]
        rounds.append([one.seconds(2)[-1] for one in apart])
    return {
        "seconds": [statistics.median(column) for column in zip(*rounds, strict=True)],
        "whole": times,
    }


def _alone(call: Call, device: Any, runtime: Any) -> Repeated:
    """The graph of a call's kernel, as long as is worth an event."""
    _, kernel, arguments = call
    few = repeated(kernel, arguments, FEW, device, runtime)
    try:
        first = few.seconds(2)[-1]
    finally:
        few.close()
    return repeated(kernel, arguments, launches(first, MILLISECONDS), device, runtime)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(profile(json.loads(Path(sys.argv[1]).read_text()))))
