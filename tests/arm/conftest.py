"""One emulated device for all tests, behind a real tracker, and bundles for it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from pipeline.build import built, laid_out, read_network
from pipeline.devices.address import RpcAddress, Tracker
from pipeline.devices.tracker import registered
from pipeline.errors import RequestError
from pipeline.export import export
from pipeline.models import InputSpec, Model, load
from pipeline.operators import Network
from pipeline.records import Records
from pipeline.targets import Target, target_named
from tests.arm.make_device import Device, make, missing

KEY = "emulated"
START_SECONDS = 120
SMALL = InputSpec(64, 64)

Compiled = Callable[..., Path]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> Device:
    """The emulated device; tests of it are skipped where its tools are not installed."""
    if missing():
        message = f"no emulated device: {missing()}"
        if request.config.getoption("--require-device"):
            pytest.fail(message)
        # The emulator is a package of the system that a user's machine may lack; CI requires it.
        pytest.skip(message)
    return make()


@pytest.fixture(scope="session")
def tracker() -> Iterator[Tracker]:
    """A tracker, as a user starts it."""
    place = Tracker("127.0.0.1", free_port())
    command = [sys.executable, "-m", "pipeline", "rpc", "tracker", "--port", str(place.port)]
    process = subprocess.Popen(command, process_group=0, stderr=subprocess.DEVNULL)
    try:
        _wait(lambda: registered(place) == [], process)
        yield place
    finally:
        _end(process)


@pytest.fixture(scope="session")
def address(device: Device, tracker: Tracker) -> Iterator[RpcAddress]:
    """The device, waiting for work."""
    process = device.serve(str(tracker), KEY, free_port())
    try:
        _wait(lambda: any(one.free for one in registered(tracker)), process)
        yield RpcAddress(tracker, KEY)
    finally:
        _end(process)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """Compiles a model for a target to a bundle, once for each choice."""
    made: dict[tuple[object, ...], Path] = {}

    @lru_cache(maxsize=2)
    def network(name: str, spec: InputSpec) -> tuple[Model, Network]:
        """What targets have in common, which takes as long as the rest."""
        model = load(name, spec)
        return model, read_network(model)

    def compile_(name: str, target: Target | str = "cortex-a76", spec: InputSpec = SMALL) -> Path:
        chosen = target_named(target) if isinstance(target, str) else target
        key = (name, chosen, spec)
        if key not in made:
            folder = tmp_path_factory.mktemp("bundles") / "bundle"
            model, operators = network(name, spec)
            lowered = laid_out(operators, chosen)
            export(built(lowered, chosen, Records(chosen.family, {})), model, chosen, folder)
            made[key] = folder
        return made[key]

    return compile_


@pytest.fixture
def own_server(tracker: Tracker) -> Iterator[str]:
    """This machine as a device."""
    command = [sys.executable, "-m", "pipeline", "rpc", "server", "--key", "self"]
    words = ["--tracker", str(tracker), "--port", str(free_port())]
    process = subprocess.Popen([*command, *words], stderr=subprocess.DEVNULL)
    _wait(lambda: any(one.key == "self" and one.free for one in registered(tracker)), process)
    yield f"rpc://{tracker}/self"
    process.terminate()
    process.wait()


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, "it ended"
        try:
            if ready():
                return
        except RequestError:
            pass
        # What is waited for is another process, which sends no word when it listens.
        time.sleep(0.3)
    pytest.fail(f"nothing answers after {START_SECONDS} s")


def _end(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
