"""Tuning for an ARM core on an emulated device: cross-compiled, uploaded, run and checked there."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.devices.address import Tracker
from pipeline.devices.tracker import registered
from pipeline.records import read_records
from pipeline.targets import target_named
from pipeline.tune.bench import Equipment
from pipeline.tuning import Budget, Options, tune
from tests.arm.make_device import make, missing
from tests.tuning.conftest import lowered, pointwise
from tests.tuning.processes import free_port, rpc_device

START_SECONDS = 120.0


@pytest.mark.skipif(bool(missing()), reason=f"no emulated device: {missing()}")
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_candidates_for_an_arm_core_are_right_on_one(tmp_path: Path, dtype: str) -> None:
    target = target_named("cortex-a76", dtype=dtype)
    target = replace(target, machine=replace(target.machine, cores=1))
    layer = lowered(pointwise(target, 3, (5, 20), (4, 5)))
    # The times of an emulator say nothing of a core, so the worker makes some up.
    equipment = Equipment(worker="tests.tuning.simulated_worker", builders=1)
    with rpc_device() as other:
        tracker = Tracker("127.0.0.1", other.tracker_port)
        server = make().serve(str(tracker), "emulated", free_port())
        try:
            end = time.monotonic() + START_SECONDS
            while not any(one.key == "emulated" and one.free for one in registered(tracker)):
                assert time.monotonic() < end
                # An emulated server takes seconds to register, and tells only the tracker.
                time.sleep(0.5)
            options = Options(Budget(6), (f"rpc://{tracker}/emulated",), 7, "", 0.0, equipment)
            summary = tune([layer], target, tmp_path, options)
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    assert (summary.tuned[0].trials, summary.tally.failed) == (6, 0)
    assert read_records(tmp_path, target.family).kernel(layer.kernels[0]) is not None
