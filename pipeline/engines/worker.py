"""The process side of the protocol: one JSON line in, one JSON line out.

    {"command": "load", "source": ..., "input": "x.npy", "threads": 1}  -> {"settings": {...}}
    {"command": "output", "input": "x.npy", "output": "y.npy"}          -> {}
    {"command": "run", "settle": 2, "count": 30}  -> {"seconds": [...], "cpu": ..., "wall": ...}
    {"command": "loadgen", "folder": ..., "seconds": 10, "queries": 1024}  -> {"p90_ns": ...}
    {"command": "ceiling", "count": 5}  -> {"seconds": [...]}      of an engine on a device
    {"command": "state"}                -> {"state": {...}}        likewise
    {"command": "quit"}

A failed command answers {"error": "..."}. Libraries print what they like: the pipe of the protocol
is moved away from descriptor 1 before any of them is loaded.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Engine(Protocol):
    """What a file of this folder defines."""

    def load(self, source: dict[str, Any], data: Array, threads: int) -> dict[str, str]:
        """Make ready to run on `data`; gives the settings that were chosen."""

    def set_input(self, data: Array) -> None:
        """Take another input of the same shape."""

    def infer(self) -> None:
        """One inference, finished when this returns."""

    def output(self) -> Array:
        """The output of the last inference."""


@runtime_checkable
class Afar(Engine, Protocol):
    """An engine whose inferences run elsewhere, where another clock times them."""

    def measure(self, settle: int, count: int) -> list[float]:
        """Seconds of each of `count` inferences after `settle` untimed ones."""


@runtime_checkable
class OnDevice(Afar, Protocol):
    """An engine on a device that is no part of this machine."""

    def ceiling(self, count: int) -> list[float]:
        """Seconds of each of so many loops of multiply-adds."""

    def state(self) -> dict[str, Any]:
        """What the device is, its clock and its temperature now."""


def serve(make_engine: Callable[[], Engine]) -> None:
    """Answer commands until `quit` or until the other side is gone."""
    replies = _take_stdout()
    engine = make_engine()
    for line in sys.stdin:
        request = json.loads(line)
        if request["command"] == "quit":
            return
        replies.write(json.dumps(_answer(engine, request)) + "\n")
        replies.flush()


def _take_stdout() -> IO[str]:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return replies


def _answer(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return COMMANDS[request["command"]](engine, request)
    except Exception as error:  # noqa: BLE001 - every fault of an engine belongs to the other side
        lines = str(error).strip().splitlines() or [""]
        return {"error": f"{type(error).__name__}: {lines[0]}"}


def _load(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    data = np.load(request["input"])
    settings = engine.load(request["source"], data, request["threads"])
    engine.set_input(data)
    return {"settings": settings}


def _output(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    engine.set_input(np.load(request["input"]))
    # Twice, as when it is timed: an engine that computes in the memory of its input is right once.
    engine.infer()
    engine.infer()
    np.save(request["output"], engine.output())
    return {}


def _run(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    if isinstance(engine, Afar):
        # Of the CPU time that they take there, nothing is known here.
        seconds = engine.measure(request["settle"], request["count"])
        return {"seconds": seconds, "cpu": 0.0, "wall": sum(seconds)}
    infer = engine.infer
    for _ in range(request["settle"]):
        infer()
    stamps = [0] * (request["count"] + 1)
    gc.collect()
    gc.disable()
    cpu = time.process_time()
    stamps[0] = time.perf_counter_ns()
    for index in range(1, len(stamps)):
        infer()
        stamps[index] = time.perf_counter_ns()
    cpu = time.process_time() - cpu
    gc.enable()
    seconds = [(end - start) / 1e9 for start, end in pairwise(stamps)]
    return {"seconds": seconds, "cpu": cpu, "wall": (stamps[-1] - stamps[0]) / 1e9}


def _loadgen(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    from pipeline.engines.loadgen import single_stream

    folder = Path(request["folder"])
    return single_stream(engine.infer, folder, request["seconds"], request["queries"])


def _ceiling(engine: Engine, request: dict[str, Any]) -> dict[str, Any]:
    assert isinstance(engine, OnDevice)
    return {"seconds": engine.ceiling(request["count"])}


def _state(engine: Engine, _: dict[str, Any]) -> dict[str, Any]:
    assert isinstance(engine, OnDevice)
    return {"state": engine.state()}


COMMANDS: dict[str, Callable[[Engine, dict[str, Any]], dict[str, Any]]] = {
    "load": _load,
    "output": _output,
    "run": _run,
    "loadgen": _loadgen,
    "ceiling": _ceiling,
    "state": _state,
}
