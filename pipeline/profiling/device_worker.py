"""Times the kernels of a bundle one at a time on a device, by the device's clock.

    python -m pipeline.profiling.device_worker REQUEST.json REPLY.json

By turns the network runs whole, and a second library of the same kernels runs that looks at the
clock between them. Both are there as anyone would run them, so that each kernel finds in the caches
what it finds in the network; the way to the device is in no time.
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tvm

from pipeline.devices.address import RpcAddress, parse_device
from pipeline.devices.facts import read_facts
from pipeline.devices.session import Session, Timing, connect
from pipeline.profiling.moments import between
from pipeline.profiling.replay_worker import FEWEST_ROUNDS, SMALL

FUNCTION = "main"
# Inferences of a turn; the first of them finds the caches as the turn before left them.
TURN = 3
SPARE_SECONDS = 300


def profile(request: dict[str, Any]) -> dict[str, Any]:
    """Seconds of the whole and of each call, and the rates of the device."""
    address = parse_device(request["device"])
    assert isinstance(address, RpcAddress)
    limit, cores = request["seconds"] + SPARE_SECONDS, request["cores"]
    with connect(address, limit, cores=cores, threads=request["threads"]) as session:
        return _profiled(session, request)


def _profiled(session: Session, request: dict[str, Any]) -> dict[str, Any]:
    image = session.tensor(np.load(request["input"]))
    whole, apart = (_network(session, request[name], image) for name in ("library", "stamped"))
    whole.invoke_stateful(FUNCTION)
    apart.invoke_stateful(FUNCTION)
    result, _ = apart.get_outputs(FUNCTION)
    found = {
        "names": request["names"],
        "same": bool(np.array_equal(result.numpy(), whole.get_outputs(FUNCTION).numpy())),
    }
    if read_facts(session, request["architecture"]).emulated:
        return found | {"emulated": True}
    clock = whole.time_evaluator("invoke_stateful", session.remote.cpu(), number=1, repeat=TURN)
    times: list[float] = []
    rounds: list[list[float]] = []
    end = time.monotonic() + request["seconds"]
    while time.monotonic() < end or len(rounds) < FEWEST_ROUNDS:
        times += clock(FUNCTION).results[1:]
        for _ in range(TURN):
            apart.invoke_stateful(FUNCTION)
        rounds.append(between(apart.get_outputs(FUNCTION)[1].numpy()))
    return found | {
        "seconds": [statistics.median(column) for column in zip(*rounds, strict=True)],
        "whole": [float(one) for one in times],
        "rates": {name: _rate(session, **rate) for name, rate in request["rates"].items()},
    }


def _network(session: Session, library: str, image: Any) -> Any:
    machine = tvm.relax.VirtualMachine(session.upload(Path(library)).module, session.remote.cpu())
    machine.set_input(FUNCTION, image)
    return machine


def _rate(  # noqa: PLR0913 - the fields of a request
    session: Session, library: str, function: str, shapes: list[list[int]], amount: float,
    dtype: str,
) -> float:  # fmt: skip
    """`amount` over the least seconds of a loop that takes arrays of those shapes."""
    arrays = [np.full(shape, SMALL, dtype) for shape in shapes]
    loop = session.upload(Path(library))
    return amount / min(loop.time(function, arrays, Timing(repeat=FEWEST_ROUNDS)))


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(profile(json.loads(Path(sys.argv[1]).read_text()))))
