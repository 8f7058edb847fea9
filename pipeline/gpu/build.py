"""Building a model for GPUs: chains of operators, tiles from records or by hand, and device code.

The tiles are those of the target's first GPU; the code of the other GPUs has the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tvm import relax

from pipeline.build import Source, dump_module, read_network
from pipeline.compiling import compiling
from pipeline.gpu.calls import Call
from pipeline.gpu.compilers import Compiler, DeviceCode
from pipeline.gpu.emit import emit
from pipeline.gpu.fuse import fused
from pipeline.gpu.package import device_module, keeping_source
from pipeline.gpu.steps import steps_of
from pipeline.gpu.tile_fields import gpu_tile
from pipeline.models import Model
from pipeline.operators import Network
from pipeline.records import Records
from pipeline.targets import GpuTarget
from schedules.cuda.operators import Work, hand_tile, program


@dataclass(frozen=True)
class Kernel:
    """A kernel of a network: its work, its tile, and how many calls an inference has of it.

    `refused` says why a record was not used; `seconds` are the recorded time of a call, if there is
    one.
    """

    name: str
    work: Work
    tile: Any
    calls: int
    source: Source = "hand"
    refused: str | None = None
    seconds: float | None = None


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
    model: Model,
    target: GpuTarget,
    compiler: Compiler,
    dump: Path | None = None,
    records: Records | None = None,
) -> BuiltGpu:
    """Compile a model for GPUs with the tiles of records, if there are any.

    RequestError if it has an operator that is not served, or the compiler does not know an
    architecture.
    """
    compiler.require(target.architectures)
    scheduled = schedule_network(read_network(model, dump), target, dump, records)
    return BuiltGpu(scheduled, compiler.compile(scheduled.source, target.architectures))


def schedule_network(
    network: Network, target: GpuTarget, dump: Path | None = None, records: Records | None = None
) -> Scheduled:
    """The kernels of a network, and the host side that calls them."""
    network = replace(network, dtype=target.dtype)
    calls = calls_on(network, target)
    kernels = kernels_of(calls, target, records)
    functions = {one.work: (one.name, program(one.work, one.tile)) for one in kernels}
    module = emit(network, calls, functions, target.launches_early)
    dump_module(dump, "3-scheduled", module)
    with compiling(target.dtype), keeping_source():
        executable = relax.build(module, target.tvm)
    return Scheduled(network, tuple(calls), tuple(kernels), executable)


def calls_on(network: Network, target: GpuTarget) -> list[Call]:
    """The kernels of a network as the target's first GPU runs them."""
    return fused(replace(network, dtype=target.dtype), target.gpu)


def kernels_of(
    calls: Sequence[Call], target: GpuTarget, records: Records | None = None
) -> list[Kernel]:
    """Every distinct kernel in order of its first call, with its recorded tile or that by hand."""
    counts: dict[Work, int] = {}
    for call in calls:
        counts[call.work] = counts.get(call.work, 0) + 1
    return [
        _served(
            Kernel(_name(work, number), work, hand_tile(work, target.gpu), count), target, records
        )
        for number, (work, count) in enumerate(counts.items())
    ]


def _name(work: Work, number: int) -> str:
    """The name of a kernel's function: its number and its steps."""
    return f"kernel{number}_{'_'.join(steps_of(work))}"


def _served(kernel: Kernel, target: GpuTarget, records: Records | None) -> Kernel:
    """The kernel with the tile that is recorded, if it fits."""
    record = records.of(kernel.work) if records else None
    if record is None:
        return kernel
    tile = gpu_tile(kernel.work, record.tile, target.gpu)
    if tile is None:
        return replace(kernel, refused=f"tile {record.tile} does not fit")
    return replace(kernel, tile=tile, source="tuned", seconds=record.seconds)
