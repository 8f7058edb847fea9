"""Device code by both compilers, in the library that TVM's runtime loads."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import tvm
import tvm_ffi

from pipeline.errors import RequestError, WorkFailedError
from pipeline.gpu import compilers
from pipeline.gpu.build import Scheduled
from pipeline.gpu.compilers import DeviceCode, compiler_named, find_nvcc
from pipeline.gpu.device_source import FIRST_KERNEL, left_rolled, widened
from pipeline.gpu.package import device_module, export_library, keeping_source, with_binary
from pipeline.gpu.resources import read_resources
from pipeline.linker import linker_for
from pipeline.targets import gpu_target
from schedules.cuda.chain import Chain, Tile
from schedules.cuda.operators import program
from schedules.cuda.product import Product
from schedules.cuda.window import Window
from schedules.frame import Frame
from tests.cuda.emulator import cuda_source

LOADER = "ffi.Module.load_from_bytes.cuda"
TWO = (75, 90)
ELF = b"\x7fELF"
LOOP = "for (int i = 0; i < *a; ++i) a[i] = i;"


@pytest.fixture(scope="session")
def code(scheduled: Scheduled) -> DeviceCode:
    """Of a Turing and a Hopper GPU in one binary."""
    return compiler_named("nvrtc").compile(scheduled.source, TWO)


def test_nvrtc_makes_one_binary_of_several_architectures(code: DeviceCode) -> None:
    assert code.binary.count(ELF) >= len(TWO)
    assert {one.architecture for one in code.resources} == set(TWO)


def test_every_kernel_is_reported_and_none_spills(scheduled: Scheduled, code: DeviceCode) -> None:
    wanted = {(kernel.name, one) for kernel in scheduled.kernels for one in TWO}
    assert {(one.function, one.architecture) for one in code.resources} == wanted
    assert all(one.spilled_bytes == 0 for one in code.resources)


@pytest.mark.skipif(find_nvcc() is None, reason="nvcc is not installed")
def test_nvcc_makes_the_same_kernels(scheduled: Scheduled, code: DeviceCode) -> None:
    ours = compiler_named("nvcc").compile(scheduled.source, (90,))
    assert ours.binary.count(ELF) == 1
    hopper = {one.function for one in code.resources if one.architecture == 90}
    assert {one.function for one in ours.resources} == hopper
    assert all(one.spilled_bytes == 0 for one in ours.resources)


def test_the_library_hands_the_binary_to_the_runtime(
    scheduled: Scheduled, code: DeviceCode, tmp_path: Path
) -> None:
    library, seen = tmp_path / "model.so", []
    target = gpu_target("t4,h100")
    export_library(scheduled.executable.mod, code.binary, library, linker_for(target.host))

    def load(data: bytes) -> None:
        seen.append(bytes(data))
        raise ValueError("seen")

    # A machine with the CUDA runtime has its own.
    own = tvm_ffi.get_global_func(LOADER, allow_missing=True)
    tvm_ffi.register_global_func(LOADER, load, override=True)
    try:
        with pytest.raises(ValueError, match="seen"):
            tvm.runtime.load_module(str(library))
    finally:
        tvm_ffi.remove_global_func(LOADER)
        if own is not None:
            tvm_ffi.register_global_func(LOADER, own)
    (data,) = seen
    assert data.startswith((6).to_bytes(8, "little") + b"fatbin")
    assert data.endswith(len(code.binary).to_bytes(8, "little") + code.binary)
    assert all(f"{kernel.name}_kernel".encode() in data for kernel in scheduled.kernels)
    assert b"__global__" not in data


def test_another_layout_of_packed_libraries_is_refused(scheduled: Scheduled) -> None:
    source = device_module(scheduled.executable.mod).inspect_source("cuda").encode()
    with pytest.raises(WorkFailedError, match="unknown way"):
        with_binary(b"\0" * 8 + source, source, b"binary")


def test_source_is_kept_only_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TVM_COMPILE_FORCE_FALLBACK", raising=False)
    with keeping_source():
        assert os.environ["TVM_COMPILE_FORCE_FALLBACK"] == "1"
    assert "TVM_COMPILE_FORCE_FALLBACK" not in os.environ


@pytest.mark.parametrize("name", ["nvrtc", "auto"])
def test_an_architecture_that_the_compiler_no_longer_knows(name: str) -> None:
    with pytest.raises(RequestError, match="no code for sm_70; it knows 75") as refusal:
        compiler_named(name).require((90, 70))
    assert "\n" not in str(refusal.value)


def test_a_compiler_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilers, "find_nvcc", lambda: None)
    assert compiler_named("auto").label.startswith("NVRTC")
    monkeypatch.setattr(compilers, "has_nvrtc", lambda: False)
    for name in ("auto", "nvcc", "nvrtc"):
        with pytest.raises(RequestError, match=r"shufflenet-tvm\[cuda\]"):
            compiler_named(name)
    with pytest.raises(RequestError, match="known: auto, nvcc, nvrtc"):
        compiler_named("clang")


def test_the_first_complaint_of_a_compiler_is_one_line() -> None:
    with pytest.raises(WorkFailedError, match="undefined") as failure:
        compiler_named("nvrtc").compile('extern "C" __global__ void f() { x; y; }', (90,))
    assert "\n" not in str(failure.value)


def test_loops_of_kernels_that_spill_are_left_as_loops() -> None:
    kernels = [f"{FIRST_KERNEL} void {name}_kernel(int* a) {{ {LOOP} }}\n" for name in ("f", "g")]
    assert left_rolled("".join(kernels), {"g"}) == kernels[0] + kernels[1].replace(
        LOOP, f"\n#pragma unroll 1\n{LOOP}"
    )


def test_kernels_that_spill_get_more_registers() -> None:
    kernels = [
        f"{FIRST_KERNEL} void __launch_bounds__(64, 8) {name}_kernel(int* a) {{}}\n"
        for name in ("f", "g")
    ]
    assert widened("".join(kernels), {"g"}) == kernels[0] + kernels[1].replace("8", "6")


def test_a_kernel_whose_loops_were_unrolled_too_far_is_compiled_again() -> None:
    chain = Chain(
        Frame(128, 56, 56, 128), Frame(128, 28, 28, 256), window=Window("depthwise", 2, "relu"),
        project=Product(1, 128, 256, "relu"),
    )  # fmt: skip
    source = cuda_source({"one": program(chain, Tile(1, 2, 1, 1, 1, 64))}, "float32")
    first, seen = compiler_named("nvrtc"), []

    def run(text: str, architectures: tuple[int, ...]) -> tuple[bytes, str]:
        binary, log = first.run(text, architectures)
        seen.append(sum(one.spilled_bytes for one in read_resources(log)))
        return binary, log

    assert replace(first, run=run).compile(source, (89,)).spilled_bytes == 0
    assert [spilled > 0 for spilled in seen] == [True, True, False]


def test_spills_are_read() -> None:
    log = """ptxas info    : Compiling entry function 'kernel3_project_kernel' for 'sm_90'
ptxas info    : Function properties for kernel3_project_kernel
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 4096 bytes smem"""
    (found,) = read_resources(log)
    assert (found.function, found.architecture) == ("kernel3_project", 90)
    assert (found.registers, found.shared_bytes, found.spilled_bytes) == (255, 4096, 36)
