"""Libraries for 32-bit ARM compute what PyTorch computes, under QEMU."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.build import Built, apply, build, emitted
from pipeline.bundle import read_bundle
from pipeline.check import TOLERANCES, compare, random_inputs
from pipeline.export import export
from pipeline.models import InputSpec, load
from pipeline.passes.one_region import NETWORK, in_one_region
from pipeline.records import Records
from pipeline.targets import target_named
from tests.arm.make_device import missing
from tests.arm.make_runner import EMULATOR, Call, Runner, make_runner

SEED = 8
SMALL = InputSpec(64, 64)
# Gates call a function of the C library.
SHORT = ["shufflenet-0.25x-g8-se-shallow"]
LONG = [*(f"shufflenet-1.0x-g{groups}" for groups in (1, 2, 3, 4, 8)), "mobilenet-1.0"]
# What a library names a kernel's function.
PREFIX = "__tvm_ffi_"


@pytest.fixture(params=["linux", pytest.param("android", marks=pytest.mark.long)])
def system(request: pytest.FixtureRequest) -> str:
    """What the code is for; tests of it are skipped where the emulator is not installed."""
    absent = missing() or (None if shutil.which(EMULATOR) else f"no {EMULATOR}")
    if absent:
        if request.config.getoption("--require-device"):
            pytest.fail(absent)
        # The emulator is a package of the system that a user's machine may lack; CI requires it.
        pytest.skip(absent)
    return str(request.param)


@pytest.mark.parametrize("name", [*SHORT, *(pytest.param(n, marks=pytest.mark.long) for n in LONG)])
def test_a_network_computes_what_pytorch_computes(tmp_path: Path, system: str, name: str) -> None:
    model = load(name, SMALL if name in SHORT else InputSpec())
    target = target_named("armv7a", system)
    built = build(model, target, Records(target.family, {}))
    export(built, model, target, tmp_path / "bundle")
    library = read_bundle(tmp_path / "bundle").library
    (image,) = random_inputs(tuple(model.example.shape), 1, SEED)
    print(f"seed {SEED}")
    found = result(make_runner(system), built, library, image)
    with torch.inference_mode():
        expected = model.module(torch.from_numpy(image)).numpy()
    compared = compare([found.reshape(expected.shape)], [expected])
    print(f"{name}: {compared}")
    assert compared.max_relative_error <= TOLERANCES["float32"]


def result(runner: Runner, built: Built, library: Path, image: np.ndarray) -> np.ndarray:
    """What a network makes of an image, in memory that held no number."""
    functions = {kernel: apply(kernel, one.tile) for kernel, one in built.served.items()}
    module, _ = emitted(built.lowered, functions)
    call = in_one_region(module)["main"].body.blocks[0].bindings[0].value
    result, memory = call.ty_args[0].fields
    (size,) = memory.shape
    (constants,) = call.args[1].fields[1:]
    tensors = [image, constants.value.numpy().view("float32")]
    made = [tuple(map(int, result.shape)), (int(size) // 4,)]
    tensors += [np.full(shape, np.nan, "float32") for shape in made]
    calls = [Call(PREFIX + NETWORK, range(len(tensors)))]
    return runner.run(library, tensors, calls, len(tensors) - len(made))
