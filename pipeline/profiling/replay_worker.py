"""Times the kernels of a bundle, each by itself, in a process with TVM's runtime alone.

    python -m pipeline.profiling.replay_worker REQUEST.json REPLY.json

By turns the whole network runs as anyone would run it, and a second library of the same kernels
that looks at the clock between them, so that each kernel finds in the caches what it finds in the
network.
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tvm

from pipeline.profiling.moments import between

FEWEST_ROUNDS = 20
# So near to 0 that products of it change no sum.
SMALL = 2.0**-30


def profile(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the whole and of each call, and the rates of the machine."""
    image = tvm.runtime.tensor(np.load(request["input"]))
    main, stamped = (_network(request[name]) for name in ("library", "stamped"))
    result, _ = stamped(image)
    same = bool(np.array_equal(result.numpy(), main(image).numpy()))
    whole: list[float] = []
    rounds: list[list[float]] = []
    end = time.monotonic() + request["seconds"]
    gc.collect()
    gc.disable()
    while time.monotonic() < end or len(rounds) < FEWEST_ROUNDS:
        main(image)
        start = time.perf_counter_ns()
        main(image)
        whole.append((time.perf_counter_ns() - start) / 1e9)
        stamped(image)
        rounds.append(between(stamped(image)[1].numpy()))
    return {
        "names": request["names"],
        "seconds": [statistics.median(column) for column in zip(*rounds, strict=True)],
        "whole": whole,
        "same": same,
        "rates": {name: _rate(**rate) for name, rate in request["rates"].items()},
    }


def _network(library: str) -> Callable[..., Any]:
    machine = tvm.relax.VirtualMachine(tvm.runtime.load_module(library), tvm.cpu())
    main: Callable[..., Any] = machine["main"]
    return main


def _rate(library: str, function: str, shapes: list[list[int]], amount: float, dtype: str) -> float:
    """`amount` over the least seconds of a loop that takes arrays of those shapes.

    It is a ceiling, and what disturbs a loop of a millisecond only lowers it.
    """
    loop = tvm.runtime.load_module(library)[function]
    arrays = [tvm.runtime.tensor(np.full(shape, SMALL, dtype)) for shape in shapes]
    seconds = []
    for _ in range(FEWEST_ROUNDS):
        start = time.perf_counter()
        loop(*arrays)
        seconds.append(time.perf_counter() - start)
    return amount / min(seconds)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(profile(json.loads(Path(sys.argv[1]).read_text()))))
