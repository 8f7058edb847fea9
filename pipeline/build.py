"""Building a model for a target: graph passes, tiles from records or by hand, code.

Each kernel takes its tiles from the tuning records if they have all of them, and otherwise from
the hand tiles of the machine record; `Built` says which.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tvm
from tvm import IRModule
from tvm.tirx import PrimFunc

from pipeline.compiling import compile_network
from pipeline.frontend import import_model
from pipeline.models import Model
from pipeline.operators import Network
from pipeline.passes.emit_calls import PLAIN, Hooks, emit_calls
from pipeline.passes.fold_batch_norm import FoldBatchNorm
from pipeline.passes.fuse_channel_shuffle import FuseChannelShuffle
from pipeline.passes.group_stages import Call, group_stages
from pipeline.passes.lay_out import Layout, lay_out
from pipeline.passes.narrow_weights import narrowed
from pipeline.passes.read_operators import read_operators
from pipeline.passes.shuffle_where_written import shuffle_where_written
from pipeline.passes.sink_channel_shuffle import SinkChannelShuffle
from pipeline.passes.update_in_place import update_in_place
from pipeline.records import Records
from pipeline.spills import settled
from pipeline.targets import Target
from pipeline.tile_fields import fits_kernel, fits_stage, kernel_fields, kernel_tile
from schedules.cpu.border import Border
from schedules.cpu.kernel import Kernel
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.tiles import KernelTile, hand_tile
from schedules.machine import Machine

Source = Literal["tuned", "hand", "default"]


@dataclass(frozen=True)
class Lowered:
    """A network as kernels, before any has tiles."""

    network: Network
    layout: Layout
    calls: tuple[Call, ...]

    @property
    def kernels(self) -> list[Kernel]:
        """Every distinct kernel in order of its first call."""
        return list(dict.fromkeys(call.kernel for call in self.calls))


@dataclass(frozen=True)
class Served:
    """The tiles of a kernel and where they are from; `refused` says why a record was not used.

    `seconds` are the recorded time of a call, if there is one.
    """

    tile: KernelTile
    source: Source
    refused: str | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Built:
    """The executable, and for every call in order the kernel's function name and tiles."""

    executable: Any
    lowered: Lowered
    served: dict[Kernel, Served]
    names: dict[Kernel, str]

    @property
    def schedule_sources(self) -> dict[Source, int]:
        """How many calls each source of tiles serves."""
        counts: dict[Source, int] = {"tuned": 0, "hand": 0, "default": 0}
        for call in self.lowered.calls:
            counts[self.served[call.kernel].source] += 1
        return counts


def lower(model: Model, target: Target, dump: Path | None = None) -> Lowered:
    """The kernels of a model; with `dump`, the module after each phase is written there."""
    return laid_out(read_network(model, dump), target)


def laid_out(network: Network, target: Target) -> Lowered:
    """The kernels of a network."""
    if target.machine.lane_factor:
        network = shuffle_where_written(network)
    if target.dtype != network.dtype:
        network = narrowed(network, target.dtype)
    layout = lay_out(network, target.machine, target.dtype)
    return Lowered(
        network, layout, tuple(group_stages(layout.stages, network.result, target.machine))
    )


def read_network(model: Model, dump: Path | None = None) -> Network:
    """The operators of a model, whatever they will run on."""
    module = import_model(model.module, model.example)
    dump_module(dump, "1-imported", module)
    simplify = [FoldBatchNorm(), FuseChannelShuffle(), SinkChannelShuffle()]
    module = tvm.transform.Sequential(simplify)(module)
    dump_module(dump, "2-simplified", module)
    return update_in_place(read_operators(module))


def build(model: Model, target: Target, records: Records, dump: Path | None = None) -> Built:
    """Compile a model for a target. RequestError if it has an operator that is not served."""
    return built(lower(model, target, dump), target, records, dump)


def built(lowered: Lowered, target: Target, records: Records, dump: Path | None = None) -> Built:
    """The kernels of a network with their tiles, compiled."""
    served = {kernel: serve(kernel, target, records) for kernel in lowered.kernels}
    functions = {kernel: apply(kernel, one.tile) for kernel, one in served.items()}
    module, names = emitted(lowered, functions)
    dump_module(dump, "3-scheduled", module)
    executable = compile_network(module, target)
    return Built(executable, lowered, served, names)


def emitted(
    lowered: Lowered, functions: dict[Kernel, PrimFunc], hooks: Hooks = PLAIN
) -> tuple[IRModule, dict[Kernel, str]]:
    """The module of a network, and the name of every kernel's function in it."""
    names = {kernel: kernel_name(kernel, number) for number, kernel in enumerate(functions)}
    named = {kernel: (names[kernel], function) for kernel, function in functions.items()}
    calls, constants = list(lowered.calls), lowered.layout.constants
    return emit_calls(lowered.network, calls, constants, named, hooks), names


def serve(kernel: Kernel, target: Target, records: Records) -> Served:
    """The tiles of a kernel: tuned if there is a record for each of its stages, else by hand.

    A record that does not fit the schedules or the machine is refused. Without one of the kernel
    its stages take their own, in strips by hand, which counts as made by hand.
    """
    fields = records.kernel(kernel)
    if fields is None:
        hand = by_hand(kernel, target)
        return Served(_of_stages(kernel, hand, target.machine, records), "hand")
    if not fits_kernel(kernel, fields, target.machine):
        return Served(by_hand(kernel, target), "hand", f"tile {fields} does not fit")
    return Served(kernel_tile(kernel, fields), "tuned", seconds=records.seconds(kernel))


def by_hand(kernel: Kernel, target: Target) -> KernelTile:
    """The tile of a kernel without records."""
    return settled(kernel, hand_tile(kernel, target.machine), target)


def _of_stages(kernel: Kernel, hand: KernelTile, machine: Machine, records: Records) -> KernelTile:
    """The hand tile with what is recorded of the stages alone."""
    fields = kernel_fields(kernel, hand)
    for at, stage in enumerate(kernel.stages):
        known = None if isinstance(stage.work, Border) else records.stage(stage.work)
        if known is not None and fits_stage(stage, known, machine):
            fields["stages"][at] = known
    return kernel_tile(kernel, fields)


def apply(kernel: Kernel, tile: KernelTile) -> PrimFunc:
    """The scheduled function of a kernel."""
    return scheduled(kernel, tile.stages, tile.sharing)


def kernel_name(kernel: Kernel, number: int) -> str:
    """The name of a kernel's function: its number and its operators."""
    operators = [s.name.partition("_")[2] for s in kernel.stages if not isinstance(s.work, Border)]
    return f"kernel{number}_{'_'.join(operators)}"


def dump_module(folder: Path | None, phase: str, module: IRModule) -> None:
    """Write a module where the modules of all phases are wanted."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{phase}.py").write_text(module.script())
