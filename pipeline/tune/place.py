"""Where a kernel runs: in this process, or on a device that a TVM RPC tracker lends.

The parts of TVM that speak to devices, and those for GPUs, are imported only where they are asked
for.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import tvm

from pipeline.devices.address import RpcAddress, parse_device

# Until a device that others use is free.
WAIT_SECONDS = 20.0
# TVM's word for one thread on each of the fastest cores.
FASTEST_CORES = 1
THREADS = "runtime.config_threadpool"


class Place(Protocol):
    """A device and what is loaded there."""

    device: Any

    def load(self, library: Path) -> Any:
        """The module of a library of this machine's disk."""

    def use(self, threads: int) -> None:
        """Run kernels with so many threads."""

    def answer(self) -> None:
        """Raise whatever there is to raise if the device does no more what it is told."""

    def times(self, library: Any, arguments: list[Any], repeats: int, shortest: int) -> list[float]:
        """Seconds of a call of "main", as means of `shortest` milliseconds."""


class Here:
    """This process."""

    def __init__(self) -> None:
        self.device = tvm.cpu()

    def load(self, library: Path) -> Any:
        """The module of a library; two of the same name would count as one."""
        return tvm.runtime.load_module(str(library))

    def use(self, threads: int) -> None:
        """Run kernels with so many threads."""
        tvm.get_global_func(THREADS)(FASTEST_CORES, threads)

    def answer(self) -> None:
        """This process does, or there is none."""

    def times(self, library: Any, arguments: list[Any], repeats: int, shortest: int) -> list[float]:
        """Seconds of a call, by TVM's clock."""
        return evaluated(library, self.device, arguments, (repeats, shortest))


class There:
    """A session with a device, which the device ends after so many seconds."""

    def __init__(self, address: RpcAddress, session_seconds: int, processor: str = "cpu") -> None:
        rpc, tracker = import_module("tvm.rpc"), import_module("pipeline.devices.tracker")
        ticket = tracker.request(address, WAIT_SECONDS)
        self._session = rpc.connect(
            ticket.host, ticket.port, ticket.word, session_timeout=session_seconds
        )
        self.device = self._session.device(processor, 0)
        self._loaded: dict[Path, Any] = {}

    def load(self, library: Path) -> Any:
        """Upload a library and load it, once: a file that is loaded must not be written over."""
        if library not in self._loaded:
            self._session.upload(str(library))
            self._loaded[library] = self._session.load_module(library.name)
        return self._loaded[library]

    def use(self, threads: int) -> None:
        """Run kernels with so many threads."""
        self._session.get_function(THREADS)(FASTEST_CORES, threads)

    def answer(self) -> None:
        """Ask for anything."""
        self._session.get_function(THREADS)

    def times(self, library: Any, arguments: list[Any], repeats: int, shortest: int) -> list[float]:
        """Seconds of a call, by the device's clock."""
        return evaluated(library, self.device, arguments, (repeats, shortest))


def evaluated(
    library: Any, device: Any, arguments: list[Any], care: tuple[int, int]
) -> list[float]:
    """Seconds of a call as TVM measures them; `care` is how often, and for how many
    milliseconds."""
    repeats, shortest = care
    evaluator = library.time_evaluator(
        "main", device, number=1, repeat=repeats, min_repeat_ms=shortest
    )
    return list(evaluator(*arguments).results)


def place_of(device: str, processor: str, session_seconds: int) -> Place:
    """The place that is named; whatever TVM raises if it cannot be had."""
    address = parse_device(device)
    if processor == "cuda":
        places = import_module("pipeline.tune.gpu_place")
        place: Place = places.gpu_place(address, session_seconds)
        return place
    return Here() if address is None else There(address, session_seconds)
