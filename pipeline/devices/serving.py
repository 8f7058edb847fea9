"""Keeping a tracker or a server running, in the foreground.

Whoever reaches their ports can run any code, so both listen on 127.0.0.1 unless told otherwise.
A kernel that crashes takes the server of TVM with it, which goes on listening and never answers;
here it ends and another takes its place. It needs TVM's runtime only.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tvm.rpc.server import Server
from tvm.rpc.tracker import Tracker as TvmTracker

from pipeline.devices.address import Tracker
from pipeline.errors import RequestError
from pipeline.gpu.runtime import load_runtime

Say = Callable[[str], None]
LOCALHOST = "127.0.0.1"
CRASHED = 70  # of <sysexits.h>: an internal error
# Longer than a port needs to be free again.
RESTART_SECONDS = 2.0


@dataclass(frozen=True)
class Place:
    """Where a server listens, at which tracker it registers, and under which key."""

    host: str
    port: int
    tracker: Tracker
    key: str
    cores: tuple[int, ...] = ()


def run_tracker(host: str, port: int, say: Say) -> None:
    """Run a tracker until interrupted. RequestError if the port is taken."""
    _require_port(host, port)
    tracker = TvmTracker(host, port, port + 1, silent=True)
    say(f"tracker at {host}:{port}; it ends with Ctrl-C")
    try:
        tracker.proc.join()
    finally:
        tracker.proc.kill()


def run_server(place: Place, say: Say) -> None:
    """Serve until interrupted, and start again after a crash. RequestError if it cannot begin."""
    if place.cores:
        os.sched_setaffinity(0, place.cores)
        os.environ["TVM_BIND_THREADS"] = "0"
    _require_port(place.host, place.port)
    server = _started(place)
    say(f"server {place.key} at {place.host}:{place.port}, registered at {place.tracker}")
    try:
        while True:
            server.proc.join()
            say("a session crashed; starting again")
            server.proc.kill()
            # The system frees the port a moment after the process is gone, and tells nobody.
            time.sleep(RESTART_SECONDS)
            server = _started(place)
    finally:
        server.proc.kill()


def _started(place: Place) -> Server:
    return Server(
        place.host,
        place.port,
        place.port + 1,
        tracker_addr=(place.tracker.host, place.tracker.port),
        key=place.key,
        silent=True,
        server_init_callback=_begin,
    )


def _require_port(host: str, port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise RequestError(f"cannot listen at {host}:{port} ({error}); give another") from error


def _begin() -> None:
    """Have the device's GPU, if it has one; end the process when the thread that listens dies,
    which would otherwise go unnoticed."""
    load_runtime()
    threading.excepthook = lambda _: os._exit(CRASHED)
