"""Whole networks over real RPC to the emulated device, in both arithmetics.

In short one small network of each. As long tests all ShuffleNets of 1.0x and MobileNet on images of
224x224, these networks for every kind of core, and every model.
"""

import numpy as np
import pytest
import torch
import tvm

from pipeline.bundle import read_bundle, verify
from pipeline.check import TOLERANCES, compare, random_inputs
from pipeline.devices.session import connect
from pipeline.models import InputSpec, load, names
from pipeline.targets import target_named
from pipeline.targets.arm import CORES

SEED = 6
SECONDS = 6 * 3600
SMALL = InputSpec(64, 64)
SHORT = ["shufflenet-0.25x-g3"]
# What takes longest comes first.
WHOLE = ["mobilenet-1.0", *(f"shufflenet-1.0x-g{groups}" for groups in (1, 2, 3, 4, 8))]
# Images that are compared, and for how many of them the largest logit has to be the same. In
# float32 that is no question where logits differ by millionths.
IMAGES, SAME = {"float32": 10, "float16": 100}, 0.98


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", SHORT)
def test_a_small_network(compiled, address, name, dtype):
    folder = compiled(name, target_named("cortex-a76", dtype=dtype), SMALL)
    found = agreement(address, read_bundle(folder), 10)
    assert found.max_relative_error <= TOLERANCES[dtype]
    assert found.top1_agreement == 1


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_network(compiled, address, name, dtype):
    folder = compiled(name, target_named("cortex-a76", dtype=dtype), InputSpec())
    found = agreement(address, read_bundle(folder), IMAGES[dtype])
    print(f"{name} {dtype}: {found}")
    assert found.max_relative_error <= TOLERANCES[dtype]
    assert found.top1_agreement >= SAME


@pytest.mark.long
@pytest.mark.parametrize("core", [core.name for core in CORES.values() if core.registers == 32])
@pytest.mark.parametrize("name", WHOLE)
def test_a_network_for_every_kind_of_core(compiled, address, name, core):
    assert error_of(compiled(name, core, SMALL), address, name, core) <= TOLERANCES["float32"]


@pytest.mark.long
@pytest.mark.parametrize("name", names())
def test_every_model(compiled, address, name):
    folder = compiled(name, "cortex-a76", SMALL)
    assert error_of(folder, address, name, "cortex-a76") <= TOLERANCES["float32"]


def error_of(folder, address, *what):
    """The largest of an image, in parts of the largest logit."""
    error = verify(read_bundle(folder), str(address)).torch.max_relative_error
    print(*what, f"differs by {error:.1e}")
    return error


def agreement(address, bundle, count):
    """How a network on the device compares with PyTorch here."""
    manifest = bundle.manifest
    model = load(manifest.model, InputSpec(*manifest.input.shape[2:]))
    images = random_inputs(manifest.input.shape, count, SEED)
    print(f"seed {SEED}")
    with torch.inference_mode():
        expected = [model.module(torch.from_numpy(image)).numpy() for image in images]
    return compare(outputs_of(address, bundle, images), expected)


def outputs_of(address, bundle, images):
    """What the device computes, in memory that held no number before."""
    outputs = []
    with connect(address, SECONDS) as session:
        library = session.upload(bundle.library)
        machine = tvm.relax.VirtualMachine(library.module, session.remote.cpu())
        for image in images:
            machine.set_input("main", session.tensor(image))
            machine.invoke_stateful("main")
            outputs.append(machine.get_outputs("main").numpy())
        del machine
    assert all(output.dtype == np.float32 for output in outputs)
    return outputs
