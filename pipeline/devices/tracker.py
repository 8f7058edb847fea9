"""Asking a tracker: which devices there are, and for a free one."""

import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tvm.rpc import base

from pipeline.devices.address import RpcAddress, Tracker
from pipeline.errors import RequestError, WorkFailedError

# A tracker answers at once; a tunnel to one may take a moment.
ANSWER_SECONDS = 10.0
START = "start one with: shufflenet-tvm rpc tracker"
SERVE = "on the device run: shufflenet-tvm rpc server"


@dataclass(frozen=True)
class Registered:
    """The devices of one key: how many there are, and how many of them wait for work."""

    key: str
    addresses: tuple[str, ...]
    free: int


@dataclass(frozen=True)
class Ticket:
    """A device that a tracker has set aside for us: where it listens, and the word it expects."""

    host: str
    port: int
    word: str


def registered(tracker: Tracker) -> list[Registered]:
    """All devices by key; RequestError if no tracker answers."""
    with _connection(tracker, ANSWER_SECONDS) as connection:
        summary = _ask(connection, [base.TrackerCode.SUMMARY], tracker)
    servers = [(one["key"].partition(":")[2], one["addr"]) for one in summary["server_info"]]
    counts = Counter(key for key, _ in servers)
    return [
        Registered(
            key,
            tuple(sorted(f"{host}:{port}" for other, (host, port) in servers if other == key)),
            min(summary["queue_info"].get(key, {"free": 0})["free"], counts[key]),
        )
        for key in sorted(counts)
    ]


def require_registered(address: RpcAddress) -> Registered:
    """The devices of a key; RequestError, naming the keys that there are, if there are none."""
    known = registered(address.tracker)
    for one in known:
        if one.key == address.key:
            return one
    there = ", ".join(one.key for one in known) or "none"
    raise RequestError(
        f"no device is registered as {address.key!r} at {address.tracker} (there: {there}); {SERVE}"
        f" --tracker {address.tracker} --key {address.key}"
    )


def request(address: RpcAddress, seconds: float) -> Ticket:
    """A device of that key, as soon as one is free.

    RequestError if there is none at all; WorkFailedError if none becomes free in that time.
    """
    require_registered(address)
    with _connection(address.tracker, seconds) as connection:
        question = [base.TrackerCode.REQUEST, address.key, "", 1]
        try:
            return Ticket(*_ask(connection, question, address.tracker))
        except TimeoutError as error:
            raise WorkFailedError(
                f"no device {address.key!r} became free within {seconds:.0f} s; see: "
                f"shufflenet-tvm rpc devices --tracker {address.tracker}"
            ) from error


@contextmanager
def _connection(tracker: Tracker, seconds: float) -> Iterator[socket.socket]:
    """A connection on which every step has so many seconds."""
    try:
        connection = socket.create_connection((tracker.host, tracker.port), ANSWER_SECONDS)
    except OSError as error:
        raise RequestError(f"nothing listens at {tracker} ({error}); {START}") from error
    with connection:
        try:
            connection.sendall(struct.pack("<i", base.RPC_TRACKER_MAGIC))
            greeting = struct.unpack("<i", base.recvall(connection, 4))[0]
        except OSError as error:
            raise RequestError(f"what listens at {tracker} is no tracker; {START}") from error
        if greeting != base.RPC_TRACKER_MAGIC:
            raise RequestError(f"what listens at {tracker} is no tracker; {START}")
        connection.settimeout(seconds)
        yield connection


def _ask(connection: socket.socket, question: list[Any], tracker: Tracker) -> Any:
    base.sendjson(connection, question)
    status, answer = base.recvjson(connection)
    if status != base.TrackerCode.SUCCESS:
        raise WorkFailedError(f"the tracker at {tracker} answers {status}")
    return answer
