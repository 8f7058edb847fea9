"""Over real RPC to an emulated ARM device: numbers, what it is, and what is refused."""

import time

import numpy as np
import pytest

from pipeline.bundle import read_bundle, verify
from pipeline.devices.address import RpcAddress, parse_device
from pipeline.devices.deadline import within
from pipeline.devices.listing import list_devices
from pipeline.devices.probe import examine, link, multiply_add
from pipeline.devices.session import Timing, connect
from pipeline.errors import RequestError, WorkFailedError
from pipeline.targets import target_named
from tests.arm.faults import fall, hang

# Float32 sums in another order through some fifty layers.
TOLERANCE = 1e-4


def test_the_device_is_what_it_is(address):
    found = examine(address, target_named("cortex-a76"))
    assert found.facts.emulated
    assert found.features is not None
    assert {"asimd", "asimdhp"} <= found.features
    # Other tests register servers of this machine, which a tracker remembers for a while.
    (row,) = (one for one in list_devices(address.tracker) if one["key"] == address.key)
    assert (row["devices"], row["free"]) == (1, 1)
    assert "emulated" in row["cpu"]


def test_a_network_computes_there_what_pytorch_computes(compiled, address):
    bundle = read_bundle(compiled("mobilenet-0.25"))
    assert bundle.manifest.max_relative_error is None
    assert verify(bundle, str(address)).torch.max_relative_error <= TOLERANCE


# The others are among the long tests of networks.
@pytest.mark.parametrize("target", ["cortex-a53", "neoverse-v1", "apple-m1"])
def test_code_for_every_kind_of_core_is_right(compiled, address, target):
    bundle = read_bundle(compiled("shufflenet-0.25x-g3", target))
    assert verify(bundle, str(address)).torch.max_relative_error <= TOLERANCE


def test_code_for_android_needs_no_library(compiled, address):
    phone = target_named("cortex-a76", "android")
    bundle = read_bundle(compiled("shufflenet-0.25x-g2-se", phone))
    assert verify(bundle, str(address)).torch.max_relative_error <= TOLERANCE


def test_a_function_is_run_and_timed_there(compiled, address, tmp_path):
    link(multiply_add(), target_named("cortex-a55"), tmp_path / "kernel.so")
    rng = np.random.default_rng(5)
    print("seed 5")
    data, factor = (rng.standard_normal(64, dtype="float32") for _ in range(2))
    arrays = [data, factor, np.full(64, np.nan, "float32")]
    with connect(address, 60) as session:
        library = session.upload(tmp_path / "kernel.so")
        *_, out = library.run("multiply_add", arrays)
        np.testing.assert_allclose(out, data * factor + data, rtol=1e-6)
        samples = library.time("multiply_add", arrays, Timing(number=2, repeat=4))
        assert len(samples) == 4
        assert min(samples) > 0
        with pytest.raises(WorkFailedError, match="no function"):
            library.run("nothing", arrays)


def test_other_architectures_are_refused(address):
    for name in ("armv7a", "host"):
        with pytest.raises(RequestError, match="does not run code for"):
            examine(address, target_named(name))


def test_missing_features_are_refused_before_the_code_is_loaded(address):
    with pytest.raises(RequestError, match="lacks sve9"):
        examine(address, target_named("cortex-a76"), ["asimd", "sve9"])


def test_nobody_there(address, tracker):
    with pytest.raises(RequestError, match=r"no device is registered .* \(there: .*emulated"):
        examine(RpcAddress(tracker, "phone"), target_named("cortex-a76"))
    with pytest.raises(RequestError, match="nothing listens"):
        examine(parse_device("rpc://127.0.0.1:1/phone"), target_named("cortex-a76"))


def test_a_crash_ends_the_session_and_not_the_device(address, tmp_path):
    link(fall(), target_named("cortex-a53"), tmp_path / "fall.so")
    with pytest.raises(WorkFailedError):
        within(60, "the fall", run_on_zeros, address, tmp_path / "fall.so", "fall")
    assert comes_back(address)


def test_a_session_that_hangs_ends_at_its_deadline(address, tmp_path):
    link(hang(), target_named("cortex-a53"), tmp_path / "hang.so")
    with pytest.raises(WorkFailedError):
        within(30, "the loop", run_on_zeros, address, tmp_path / "hang.so", "hang")
    assert comes_back(address)


def comes_back(address):
    """Whether the device serves again; it may have to start first."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        try:
            return examine(address, target_named("cortex-a53")).facts.emulated
        except (RequestError, WorkFailedError):
            # The server starts its next session in its own time, and sends no word when it has.
            time.sleep(1)
    return False


def run_on_zeros(address, library, function):
    """In a process of its own: hand zeros to a function of a library on the device."""
    with connect(address, 8) as session:
        session.upload(library).run(function, [np.zeros(4, "int32")])
