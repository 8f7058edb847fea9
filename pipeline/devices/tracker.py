"""Asking a tracker: which devices there are, and for a free one."""

import socket
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from tvm.rpc import base

from pipeline.devices.address import RpcAddress, Tracker
from pipeline.errors import RequestError, WorkFailedError

# A tracker answers at once; but a tunnel to one takes a moment, and a machine with other work for
# all its cores more than that.
ANSWER_SECONDS = 20.0
ATTEMPTS = 3
START = "start one with: shufflenet-tvm rpc tracker"
SERVE = "on the device run: shufflenet-tvm rpc server"

Answer = TypeVar("Answer")


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
    summary = _patiently(tracker, partial(_summary, tracker))
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
    with _patiently(address.tracker, partial(_greeted, address.tracker)) as connection:
        connection.settimeout(seconds)
        question = [base.TrackerCode.REQUEST, address.key, "", 1]
        try:
            return Ticket(*_ask(connection, question, address.tracker))
        except TimeoutError as error:
            raise WorkFailedError(
                f"no device {address.key!r} became free within {seconds:.0f} s; see: "
                f"shufflenet-tvm rpc devices --tracker {address.tracker}"
            ) from error


def _patiently(tracker: Tracker, ask: Callable[[], Answer]) -> Answer:
    """What comes of asking; RequestError if there is silence again and again."""
    for _ in range(ATTEMPTS):
        try:
            return ask()
        except TimeoutError as error:
            silence = error
    raise RequestError(
        f"what listens at {tracker} does not answer, asked {ATTEMPTS} times for"
        f" {ANSWER_SECONDS:.0f} s; if it is a tracker on a busy machine, try again later; otherwise"
        " end it, or start a tracker on another port: shufflenet-tvm rpc tracker --port PORT"
    ) from silence


def _summary(tracker: Tracker) -> Any:
    """What a tracker knows of its devices; TimeoutError if it is silent."""
    with _greeted(tracker) as connection:
        return _ask(connection, [base.TrackerCode.SUMMARY], tracker)


def _greeted(tracker: Tracker) -> socket.socket:
    """A connection to a tracker, which has said that it is one; TimeoutError if it is silent."""
    try:
        connection = socket.create_connection((tracker.host, tracker.port), ANSWER_SECONDS)
    except OSError as error:
        raise RequestError(f"nothing listens at {tracker} ({error}); {START}") from error
    try:
        _greet(connection, tracker)
    except BaseException:
        connection.close()
        raise
    return connection


def _greet(connection: socket.socket, tracker: Tracker) -> None:
    try:
        connection.sendall(struct.pack("<i", base.RPC_TRACKER_MAGIC))
        greeting = struct.unpack("<i", base.recvall(connection, 4))[0]
    except TimeoutError:
        raise
    except OSError as error:
        raise RequestError(f"what listens at {tracker} is no tracker; {START}") from error
    if greeting != base.RPC_TRACKER_MAGIC:
        raise RequestError(f"what listens at {tracker} is no tracker; {START}")


def _ask(connection: socket.socket, question: list[Any], tracker: Tracker) -> Any:
    base.sendjson(connection, question)
    status, answer = base.recvjson(connection)
    if status != base.TrackerCode.SUCCESS:
        raise WorkFailedError(f"the tracker at {tracker} answers {status}")
    return answer
