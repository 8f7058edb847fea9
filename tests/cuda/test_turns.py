"""Kernels that are launched while those before them still run."""

import re

import pytest
import tvm_ffi

from pipeline.gpu.build import Scheduled
from pipeline.gpu.compilers import compiler_named
from pipeline.gpu.device_source import FIRST_KERNEL
from pipeline.gpu.emit import EARLY
from pipeline.gpu.sass import disassembly
from pipeline.targets import gpu_target
from pipeline.targets.gpu import GPUS
from schedules.cuda.operators import hand_tile, program
from tests.cuda.emulator import cuda_source
from tests.cuda.half_works import WORKS

TENSOR = re.compile(r"\b(\w+)_ptr\b")
LOCAL = re.compile(r"(?:__shared__ )?alignas\(\d+\) \w+ (\w+)_ptr\[")
CONSTANT = re.compile(r"(expand|project|follow|window)_(weight|bias)")
# What waits for the kernels before, and what lets the next one begin.
WAIT, LET = "ACQBULK", "PREEXIT"


def bodies(source: str) -> list[str]:
    """The statements of every kernel."""
    kernels = source.split(FIRST_KERNEL)[1:]
    return [kernel[kernel.index("{") :] for kernel in kernels if "{" in kernel]


def assert_in_turn(body: str) -> None:
    """Only constants are read before the others have ended, and nothing is left for the end."""
    assert body.count("await_others();") == body.count("let_next_begin();") == 1
    before, after = body.split("await_others();")
    known = set(LOCAL.findall(body))
    assert all(CONSTANT.fullmatch(name) for name in set(TENSOR.findall(before)) - known)
    assert not TENSOR.findall(after.split("let_next_begin();")[1])


def test_a_kernel_reads_constants_only_before_the_others_have_ended(scheduled: Scheduled) -> None:
    kernels = bodies(scheduled.source)
    assert len(kernels) == len(scheduled.kernels)
    for body in kernels:
        assert_in_turn(body)
    assert any("load_early" in body.split("await_others();")[0] for body in kernels)


def test_kernels_of_halves_and_tensor_cores_do_the_same() -> None:
    programs = {
        f"work{number}": program(work, hand_tile(work, GPUS["h100"]))
        for number, work in enumerate(WORKS.values())
    }
    found = bodies(cuda_source(programs))
    assert len(found) == len(WORKS)
    for body in found:
        assert_in_turn(body)


def test_the_code_waits_before_it_touches_what_others_write(scheduled: Scheduled) -> None:
    code = compiler_named("nvrtc").compile(scheduled.source, (90,))
    functions = disassembly(code.binary, 90)
    assert len(functions) == len(scheduled.kernels)
    early = 0
    for name, opcodes in functions.items():
        begin, end = opcodes.index(WAIT), opcodes.index(LET)
        before = [one for one in opcodes[:begin] if one.startswith(("LDG", "STG"))]
        # Weights are loaded by 128 bits; nothing is stored.
        assert all(one.startswith("LDG.E.128") for one in before), name
        early += len(before)
        last = max(at for at, one in enumerate(opcodes) if one.startswith("STG"))
        assert begin < last < end, name
    assert early > 0


@pytest.mark.parametrize(
    ("gpus", "early"),
    [("h100", True), ("h100,blackwell", True), ("a100", False), ("h100,a100", False)],
)
def test_launches_are_early_only_where_every_gpu_can(gpus: str, early: bool) -> None:
    assert gpu_target(gpus).launches_early is early


def test_the_runtime_is_told_of_early_launches(scheduled: Scheduled) -> None:
    packed = tvm_ffi.get_global_func("runtime.ModulePackImportsToTensor")(scheduled.executable.mod)
    ((word,),) = EARLY.values()
    assert packed.numpy().tobytes().count(word.encode()) == len(scheduled.kernels)
