"""Where a kernel runs: in this process, or on a device that a TVM RPC tracker lends.

The parts of TVM that speak to devices are imported only where a device is asked for.
"""

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import tvm

from pipeline.devices.address import RpcAddress, parse_device

# Until a device that others use is free.
WAIT_SECONDS = 20.0


class Place(Protocol):
    """A device and what is loaded there."""

    device: Any

    def load(self, library: Path) -> Any:
        """The module of a library of this machine's disk."""

    def function(self, name: str) -> Any:
        """A function of the device's runtime."""


class Here:
    """This process."""

    def __init__(self) -> None:
        self.device = tvm.cpu()

    def load(self, library: Path) -> Any:
        """The module of a library; two of the same name would count as one."""
        return tvm.runtime.load_module(str(library))

    def function(self, name: str) -> Any:
        """A function of the runtime."""
        return tvm.get_global_func(name)


class There:
    """A session with a device, which the device ends after so many seconds."""

    def __init__(self, address: RpcAddress, session_seconds: int) -> None:
        rpc, tracker = import_module("tvm.rpc"), import_module("pipeline.devices.tracker")
        ticket = tracker.request(address, WAIT_SECONDS)
        self._session = rpc.connect(
            ticket.host, ticket.port, ticket.word, session_timeout=session_seconds
        )
        self.device = self._session.cpu(0)
        self._loaded: dict[Path, Any] = {}

    def load(self, library: Path) -> Any:
        """Upload a library and load it, once: a file that is loaded must not be written over."""
        if library not in self._loaded:
            self._session.upload(str(library))
            self._loaded[library] = self._session.load_module(library.name)
        return self._loaded[library]

    def function(self, name: str) -> Any:
        """A function of the device's runtime."""
        return self._session.get_function(name)


def place_of(device: str, session_seconds: int) -> Place:
    """The place that is named; whatever TVM raises if it cannot be had."""
    address = parse_device(device)
    return Here() if address is None else There(address, session_seconds)
