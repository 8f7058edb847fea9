"""Times the kernels of a bundle one at a time, in a process with TVM's runtime alone.

    python -m pipeline.profiling.replay_worker REQUEST.json REPLY.json

One inference is watched to learn which kernels it calls with which tensors. Then, by turns, the
whole network runs as anyone would run it, and the same calls are made one after the other with a
look at the clock between them: on the same tensors, in the same order, in the same memory, so that
each kernel finds in the caches what it finds in the network.
"""

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import tvm

BUILTIN = "vm.builtin."
FEWEST_ROUNDS = 20
# So near to 0 that products of it change no sum.
SMALL = 2.0**-30


def profile(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the whole and of each call, and the rates of the machine."""
    library = tvm.runtime.load_module(request["library"])
    image = tvm.runtime.tensor(np.load(request["input"]))
    calls, expected = record(library, image, tvm.cpu())
    main = tvm.relax.VirtualMachine(library, tvm.cpu())["main"]
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
        replay(calls)
        rounds.append(replay(calls))
    return {
        "names": [name for name, _, _ in calls],
        "seconds": [statistics.median(column) for column in zip(*rounds, strict=True)],
        "whole": whole,
        "sums": [sum(one) for one in rounds],
        "same": same(calls, expected),
        "rates": {name: _rate(**rate) for name, rate in request["rates"].items()},
    }


Call = tuple[str, Callable[..., Any], tuple[Any, ...]]


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


def replay(calls: Sequence[Call]) -> list[float]:
    """The seconds of every call."""
    stamps = [0] * (len(calls) + 1)
    stamps[0] = time.perf_counter_ns()
    for index, (_, function, arguments) in enumerate(calls, start=1):
        function(*arguments)
        stamps[index] = time.perf_counter_ns()
    return [(end - start) / 1e9 for start, end in pairwise(stamps)]


def same(calls: Sequence[Call], expected: Any) -> bool:
    """Whether the replayed calls compute what the network computes."""
    output = calls[-1][2][-1]
    output.copyfrom(np.full(output.shape, np.nan, "float32"))
    replay(calls)
    return bool(np.array_equal(output.numpy().reshape(-1), expected.reshape(-1)))


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
