"""What a device is called on the command line: `local`, or `rpc://HOST:PORT/KEY`."""

import re
from dataclasses import dataclass

from pipeline.errors import RequestError

LOCAL = "local"
FORM = re.compile(r"rpc://(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):(\d{1,5})/([\w.-]+)", re.ASCII)
TRACKER_FORM = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):(\d{1,5})", re.ASCII)
LAST_PORT = 65535


@dataclass(frozen=True)
class Tracker:
    """Where an RPC tracker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class RpcAddress:
    """Any device that is registered as `key` at a tracker."""

    tracker: Tracker
    key: str

    def __str__(self) -> str:
        return f"rpc://{self.tracker}/{self.key}"


def parse_device(text: str) -> RpcAddress | None:
    """None for this machine; RequestError if it is neither that nor rpc://HOST:PORT/KEY."""
    if text == LOCAL:
        return None
    found = FORM.fullmatch(text)
    if found is None:
        raise RequestError(f"unknown device {text!r}; give {LOCAL} or rpc://HOST:PORT/KEY")
    return RpcAddress(_tracker(found[1], found[2]), found[3])


def parse_tracker(text: str) -> Tracker:
    """From HOST:PORT."""
    found = TRACKER_FORM.fullmatch(text)
    if found is None:
        raise RequestError(f"{text!r} is no tracker; give HOST:PORT, as in 127.0.0.1:9190")
    return _tracker(found[1], found[2])


def _tracker(host: str, port: str) -> Tracker:
    if not 0 < int(port) <= LAST_PORT:
        raise RequestError(f"port {port} is out of range; use 1 to {LAST_PORT}")
    return Tracker(host.strip("[]"), int(port))
