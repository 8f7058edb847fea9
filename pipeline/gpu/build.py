"""Building a model for GPUs: chains of operators, tiles by hand, and device code.

The tiles are those of the target's first GPU; the code of the other GPUs has the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tvm import relax

from pipeline.build import dump_module, read_network
from pipeline.compiling import compiling
from pipeline.gpu.calls import Call
from pipeline.gpu.compilers import Compiler, DeviceCode
from pipeline.gpu.emit import emit
from pipeline.gpu.fuse import fused
from pipeline.gpu.package import device_module, keeping_source
from pipeline.models import Model
from pipeline.operators import Network
from pipeline.targets import GpuTarget
from schedules.cuda.chain import Chain
from schedules.cuda.operators import Work, hand_tile, program

STEPS = ("expand", "window", "project", "follow", "pool")


@dataclass(frozen=True)
class Kernel:
    """A kernel of a network: its work, its tile, and how many calls an inference has of it."""

    name: str
    work: Work
    tile: Any
    calls: int


@dataclass(frozen=True)
class Scheduled:
    """A network as kernels with tiles, and the compiled host side with the CUDA source."""

    network: Network
    calls: tuple[Call, ...]
    kernels: tuple[Kernel, ...]
    executable: Any

    @property
    def source(self) -> str:
        """The kernels in CUDA."""
        source: str = device_module(self.executable.mod).inspect_source("cuda")
        return source


@dataclass(frozen=True)
class BuiltGpu:
    """The same with the code for the GPUs."""

    scheduled: Scheduled
    code: DeviceCode


def build_gpu(
    model: Model, target: GpuTarget, compiler: Compiler, dump: Path | None = None
) -> BuiltGpu:
    """Compile a model for GPUs. RequestError if it has an operator that is not served, or the
    compiler does not know an architecture."""
    compiler.require(target.architectures)
    scheduled = schedule_network(read_network(model, dump), target, dump)
    return BuiltGpu(scheduled, compiler.compile(scheduled.source, target.architectures))


def schedule_network(network: Network, target: GpuTarget, dump: Path | None = None) -> Scheduled:
    """The kernels of a network, and the host side that calls them."""
    network = replace(network, dtype=target.dtype)
    calls = fused(network, target.gpu)
    kernels = kernels_of(calls, target)
    functions = {one.work: (one.name, program(one.work, one.tile)) for one in kernels}
    module = emit(network, calls, functions, target.launches_early)
    dump_module(dump, "3-scheduled", module)
    with compiling(target.dtype), keeping_source():
        executable = relax.build(module, target.tvm)
    return Scheduled(network, tuple(calls), tuple(kernels), executable)


def kernels_of(calls: Sequence[Call], target: GpuTarget) -> list[Kernel]:
    """Every distinct kernel in order of its first call."""
    counts: dict[Work, int] = {}
    for call in calls:
        counts[call.work] = counts.get(call.work, 0) + 1
    return [
        Kernel(_name(work, number), work, hand_tile(work, target.gpu), count)
        for number, (work, count) in enumerate(counts.items())
    ]


def _name(work: Work, number: int) -> str:
    """The name of a kernel's function: its number and its steps."""
    if not isinstance(work, Chain):
        return f"kernel{number}_{type(work).__name__.lower()}"
    return f"kernel{number}_{'_'.join(step for step in STEPS if getattr(work, step))}"
