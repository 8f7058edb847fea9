"""Kernels that are launched while those before them still run."""

import re

import pytest
import tvm_ffi

from pipeline.build import read_network
from pipeline.gpu.build import schedule_network
from pipeline.gpu.compilers import compiler_named
from pipeline.gpu.device_source import FIRST_KERNEL, device_source
from pipeline.gpu.emit import EARLY
from pipeline.gpu.sass import disassembly
from pipeline.models import InputSpec, load
from pipeline.operators import Network
from pipeline.targets import gpu_target

NETWORKS = ["shufflenet-0.25x-g4-se", "mobilenet-0.25"]
TENSOR = re.compile(r"\b(\w+)_ptr\b")
LOCAL = re.compile(r"(?:__shared__ )?alignas\(\d+\) \w+ (\w+)_ptr\[")
CONSTANT = re.compile(r"(expand|project|follow|window)_(weight|bias)")
# What waits for the kernel before, what lets the next one begin, and accesses to device memory.
WAIT, LET, ACCESS = "ACQBULK", "PREEXIT", ("LDG", "STG")


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return read_network(load(request.param, InputSpec(64, 64)))


def kernels_of(network: Network, dtype: str) -> list[str]:
    source = device_source(schedule_network(network, gpu_target("h100", dtype)).source)
    made = [part for part in source.split(FIRST_KERNEL) if "__shared__" in part or "_ptr[" in part]
    return [part for part in made if "{" in part]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_kernel_reads_constants_only_before_the_others_have_ended(
    network: Network, dtype: str
) -> None:
    for kernel in kernels_of(network, dtype):
        if "load_matrix(half*" in kernel or "void await_others" in kernel:
            continue
        body = kernel[kernel.index("{") :]
        assert body.count("await_others();") == body.count("let_next_begin();") == 1
        before, after = body.split("await_others();")
        own = set(LOCAL.findall(body))
        assert all(CONSTANT.fullmatch(name) for name in set(TENSOR.findall(before)) - own)
        rest = after.split("let_next_begin();")[1]
        assert not set(TENSOR.findall(rest)), "nothing is written past the launch of the next"


def test_the_code_waits_before_it_touches_what_others_write(network: Network) -> None:
    target = gpu_target("h100")
    scheduled = schedule_network(network, target)
    code = compiler_named("nvrtc").compile(scheduled.source, target.architectures)
    functions = disassembly(code.binary, target.gpu.architecture)
    assert len(functions) == len(scheduled.kernels)
    early = 0
    for name, opcodes in functions.items():
        wait, let = opcodes.index(WAIT), opcodes.index(LET)
        before = [one for one in opcodes[:wait] if one.startswith(ACCESS)]
        early += len(before)
        # What is loaded before is as wide as weights are, and nothing is stored.
        assert all(one.startswith("LDG.E.128") for one in before), name
        stores = [at for at, one in enumerate(opcodes) if one.startswith("STG")]
        assert wait < min(stores), name
        assert max(stores) < let or "EXIT" in opcodes[wait:let], name
    assert early > 0


@pytest.mark.parametrize(("gpus", "early"), [("h100", True), ("blackwell,h100", True),
                                             ("a100", False), ("h100,a100", False)])  # fmt: skip
def test_only_where_every_gpu_can(gpus: str, early: bool) -> None:
    network = read_network(load("mobilenet-0.25", InputSpec(64, 64)))
    executable = schedule_network(network, gpu_target(gpus)).executable
    packed = tvm_ffi.get_global_func("runtime.ModulePackImportsToTensor")(executable.mod)
    (words,) = EARLY.values()
    assert (words[0].encode() in packed.numpy().tobytes()) is early
