"""The process side of measuring: one JSON line in, one JSON line out.

    {"command": "hello"}                                             -> {}
    {"command": "prepare", "inputs": "x.npz", "outputs": [[28, 28, 240]], "reference": "r.so",
     "expected": "y.npz"}                                            -> {}
    {"command": "measure", "library": "k.so", "threads": [2, 1], "deadline": 20}
                                                                     -> {"seconds": [4e-5, 7e-5]}

`prepare` runs the unscheduled kernel, unless its outputs are there from an earlier process. A
kernel may crash or never end: then the other side starts another process.
"""

import json
import os
import signal
import statistics
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import IO, Any

import numpy as np
import tvm
from numpy.typing import NDArray

Array = NDArray[Any]

# Relative to the largest value; sums of a thousand float32 products in another order differ less.
TOLERANCE = 1e-4
REPEATS = 5
# Long enough that the clock's resolution and a single interrupt do not matter.
REPEAT_MS = 10
# TVM's word for one thread on each of the fastest cores.
FASTEST_CORES = 1


class Worker:
    """The arguments of the kernel that is being tuned, and what it should write."""

    def prepare(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take the arguments, and the outputs of the reference."""
        with np.load(request["inputs"]) as file:
            self.inputs = [tvm.runtime.tensor(file[name]) for name in file.files]
        self.shapes = [tuple(shape) for shape in request["outputs"]]
        expected = Path(request["expected"])
        if not expected.exists():
            outputs = self._outputs()
            tvm.runtime.load_module(request["reference"])["main"](*self.inputs, *outputs)
            np.savez(expected, *[tensor.numpy() for tensor in outputs])
        with np.load(expected) as file:
            self.expected = [file[name] for name in file.files]
        return {}

    def measure(self, request: dict[str, Any]) -> dict[str, Any]:
        """Check and time a library at each number of threads."""
        # If the other side is gone, nobody else ends a kernel that does not.
        signal.alarm(ceil(request["deadline"]) + 1)
        library = tvm.runtime.load_module(request["library"])
        seconds = [self._measured(library, threads) for threads in request["threads"]]
        signal.alarm(0)
        return {"seconds": seconds}

    def _measured(self, library: Any, threads: int) -> float:
        tvm.get_global_func("runtime.config_threadpool")(FASTEST_CORES, threads)
        outputs = self._outputs()
        library["main"](*self.inputs, *outputs)
        for output, expected in zip(outputs, self.expected, strict=True):
            check(output.numpy(), expected)
        evaluator = library.time_evaluator(
            "main", tvm.cpu(), number=1, repeat=REPEATS, min_repeat_ms=REPEAT_MS
        )
        return float(statistics.median(evaluator(*self.inputs, *outputs).results))

    def _outputs(self) -> list[Any]:
        """Outputs in which every element that is never written stays not a number."""
        return [tvm.runtime.tensor(np.full(s, np.nan, dtype=np.float32)) for s in self.shapes]


def check(output: Array, expected: Array) -> None:
    """Raise ValueError unless the same elements are written, with the same values."""
    untouched = np.isnan(expected)
    wrong = int((np.isnan(output) != untouched).sum())
    if wrong:
        raise ValueError(f"wrong output: {wrong} elements are written that should not be, or not")
    difference = np.abs(output - expected)[~untouched].max(initial=0.0)
    error = difference / max(np.abs(expected[~untouched]).max(initial=0.0), 1e-30)
    if not error <= TOLERANCE:
        raise ValueError(f"wrong output: relative error {error:.1e}")


def serve() -> None:
    """Answer until the other side is gone."""
    replies = _take_stdout()
    worker = Worker()
    commands: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "hello": lambda _: {},
        "prepare": worker.prepare,
        "measure": worker.measure,
    }
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = commands[request["command"]](request)
        except Exception as error:  # noqa: BLE001 - every fault of a candidate is its result
            signal.alarm(0)
            reply = {"error": (str(error).strip().splitlines() or [type(error).__name__])[0]}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _take_stdout() -> IO[str]:
    """Keep what libraries print away from the replies."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return replies


if __name__ == "__main__":
    serve()
