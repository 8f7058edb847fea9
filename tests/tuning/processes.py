"""The processes of a tuning run, and an RPC tracker and server, to be killed by tests."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60.0
# Children say nothing when they start, so they are looked for.
POLL_SECONDS = 0.05
ROLES = {"builder": "pipeline.tune.builder", "runner": "tests.tuning.simulated_worker"}


def start(logs: Path, trials: int, *devices: str) -> subprocess.Popen[str]:
    """A tuner in a process of its own."""
    words = [sys.executable, "-m", "tests.tuning.network", str(logs), str(trials), *devices]
    return subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=_hear_ctrl_c,
    )  # fmt: skip


def _hear_ctrl_c() -> None:
    """Undo what a shell does to commands in the background: that they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(tuner: subprocess.Popen[str], seconds: float = 240.0) -> tuple[int, str, str]:
    """Its exit status and what it said."""
    out, err = tuner.communicate(timeout=seconds)
    return tuner.returncode, out, err


def child_of(tuner: subprocess.Popen[str], role: str) -> psutil.Process | None:
    """The builder or the runner of a tuner, if it has one now."""
    try:
        for child in psutil.Process(tuner.pid).children():
            if ROLES[role] in child.cmdline():
                return child
    except psutil.NoSuchProcess:
        pass
    return None


def awaited_child(tuner: subprocess.Popen[str], role: str) -> psutil.Process:
    """The same, which may be on its way to take the place of another; TimeoutError without one."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and tuner.poll() is None:
        child = child_of(tuner, role)
        if child is not None:
            return child
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"the tuner has no {role}")


class RpcDevice:
    """A tracker and a server of one key on this machine; both can be killed and started again."""

    def __init__(self) -> None:
        self.tracker_port, self.server_port = free_port(), free_port()
        self.address = f"rpc://127.0.0.1:{self.tracker_port}/test"
        self.tracker = self.start_tracker()
        self.server = self.start_server()

    def start_tracker(self) -> subprocess.Popen[bytes]:
        """Listen for servers and clients."""
        port = str(self.tracker_port)
        self.tracker = _group("rpc", "tracker", "--port", port)
        _await_port(self.tracker_port)
        return self.tracker

    def start_server(self) -> subprocess.Popen[bytes]:
        """Serve again, at the same port."""
        words = ("--tracker", f"127.0.0.1:{self.tracker_port}", "--port", str(self.server_port))
        self.server = _group("rpc", "server", "--key", "test", *words)
        _await_port(self.server_port)
        return self.server

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a process and what it started."""
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()


@contextmanager
def rpc_device() -> Iterator[RpcDevice]:
    """A device behind a tracker; both end with the context."""
    device = RpcDevice()
    try:
        yield device
    finally:
        device.kill(device.server)
        device.kill(device.tracker)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at; the next one is free too."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def interrupt(tuner: subprocess.Popen[str]) -> None:
    """What Ctrl-C does."""
    os.kill(tuner.pid, signal.SIGINT)


def _group(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipeline", *words]
    environment = os.environ | {"TVM_USE_RUNTIME_LIB": "1", "TVM_NUM_THREADS": "1"}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet, process_group=0
    )


def _await_port(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with socket.socket() as client:
            client.settimeout(1.0)
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise TimeoutError(f"nobody listens at {port}")
