"""What can be said of a network's kernels on a GPU without one: the compiler's report, the
disassembly, the addresses, and a modelled bound."""

from dataclasses import dataclass
from typing import Any

from tvm.tirx import For

from pipeline.gpu.accesses import Access, accesses
from pipeline.gpu.bound import FORMULA, bound_of, device_bytes
from pipeline.gpu.build import BuiltGpu, Kernel
from pipeline.gpu.fuse import apart
from pipeline.gpu.launch import LAUNCH_SECONDS
from pipeline.gpu.resources import Resources
from pipeline.gpu.sass import Mix, instruction_mix
from pipeline.results import Record
from schedules.cuda.chain import Chain
from schedules.cuda.operators import program
from schedules.gpu import WARP, Gpu


class KernelReport(Record):
    """One kernel. `matrices` says whether its products are meant for tensor cores. `occupancy` are
    the warps that a multiprocessor holds of it, as a share of the most that it can; `limited` says
    whether registers or shared memory keep it from holding as many as there are and as hide
    latencies. Bytes and seconds are of one call."""

    function: str
    calls: int
    blocks: int
    threads: int
    matrices: bool
    registers: int
    shared_bytes: int
    spilled_bytes: int
    occupancy: float
    limited: bool
    coalesced: bool
    uncoalesced_tensors: tuple[str, ...]
    instructions: Mix
    macs: int
    device_bytes: int
    l2_bytes: int
    bound_seconds: float
    bound_by: str


class GpuReport(Record):
    """A network on a GPU; the bound is modelled, by the formula that stands with it."""

    model: str
    target: str
    architecture: int
    batch: int
    dtype: str
    compiler: str
    kernels: list[KernelReport]
    kernel_calls: int
    device_bytes: int
    device_bytes_apart: int
    modelled_bound_seconds: float
    modelled_bound_formula: str = FORMULA


def analyze(built: BuiltGpu, gpu: Gpu, model: str, batch: int) -> GpuReport:
    """The report of a network that was built for a GPU."""
    code, scheduled = built.code, built.scheduled
    mixes = instruction_mix(code.binary, gpu.architecture)
    resources = {
        one.function: one for one in code.resources if one.architecture == gpu.architecture
    }
    kernels = [
        _report(kernel, resources[kernel.name], mixes[kernel.name], gpu)
        for kernel in scheduled.kernels
    ]
    calls = sum(kernel.calls for kernel in kernels)
    return GpuReport(
        model=model,
        target=gpu.name,
        architecture=gpu.architecture,
        batch=batch,
        dtype=scheduled.network.dtype,
        compiler=code.compiler,
        kernels=kernels,
        kernel_calls=calls,
        device_bytes=sum(kernel.calls * kernel.device_bytes for kernel in kernels),
        device_bytes_apart=sum(device_bytes(call.work) for call in apart(scheduled.network)),
        modelled_bound_seconds=sum(one.calls * one.bound_seconds for one in kernels)
        + calls * LAUNCH_SECONDS,
    )


@dataclass(frozen=True)
class Launch:
    """Blocks of a grid and threads of a block."""

    blocks: int
    threads: int


def launch_of(function: Any) -> Launch:
    """The launch of a kernel's function."""
    body = function.body
    blocks = body if isinstance(body, For) else body.block.body
    return Launch(int(blocks.extent), int(blocks.body.extent))


def resident(launch: Launch, resources: Resources, gpu: Gpu) -> int:
    """Blocks that a multiprocessor holds at once."""
    return gpu.resident_blocks(launch.threads, resources.shared_bytes, resources.registers)


def _report(kernel: Kernel, resources: Resources, mix: Mix, gpu: Gpu) -> KernelReport:
    function = program(kernel.work, kernel.tile)
    launch, bound = launch_of(function), bound_of(kernel.work, kernel.tile, gpu)
    bad = [one for one in accesses(function) if not one.coalesced]
    warps = resident(launch, resources, gpu) * -(-launch.threads // WARP)
    return KernelReport(
        function=kernel.name,
        calls=kernel.calls,
        blocks=launch.blocks,
        threads=launch.threads,
        matrices=isinstance(kernel.work, Chain) and kernel.work.matrices,
        registers=resources.registers,
        shared_bytes=resources.shared_bytes,
        spilled_bytes=resources.spilled_bytes,
        occupancy=warps * WARP / gpu.threads,
        limited=gpu.starved(
            launch.blocks, launch.threads, resources.shared_bytes, resources.registers
        ),
        coalesced=not bad,
        uncoalesced_tensors=tuple(_named(one) for one in bad),
        instructions=mix,
        macs=kernel.work.macs,
        device_bytes=bound.device_bytes,
        l2_bytes=bound.l2_bytes,
        bound_seconds=bound.seconds,
        bound_by=bound.limit,
    )


def _named(access: Access) -> str:
    return f"{access.tensor} ({'written' if access.store else 'read'})"
