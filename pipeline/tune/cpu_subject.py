"""What an operator or a kernel for a CPU is tuned on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tvm.tirx import PrimFunc

from pipeline.compiling import export_function, export_unscheduled
from pipeline.records import canonical
from pipeline.spills import settled
from pipeline.targets import Target
from pipeline.tune.arguments import arguments, outputs, updates
from pipeline.tune.kernel_space import KernelSpace, StageTiles
from pipeline.tune.space import Array, Parameters
from pipeline.tune.stage_space import StageSpace
from schedules.cpu.kernel import Kernel
from schedules.cpu.kernel_function import program


@dataclass(frozen=True)
class CpuSubject:
    """A kernel of one stage, or one with the best tiles of its `stages`."""

    kernel: Kernel
    target: Target
    stages: StageTiles | None = None

    @property
    def choices(self) -> tuple[str, ...]:
        """The tiles of all stages, each stage's with an end."""
        stages = self.stages or ()
        return tuple(canonical(tile) for choices in stages for tile in (*choices, {}))

    @property
    def parameters(self) -> Parameters:
        """Of the kernel."""
        return Parameters(tuple(outputs(self.kernel)), tuple(updates(self.kernel)))

    def space(self) -> StageSpace | KernelSpace:
        """Its candidates."""
        machine, settle = self.target.machine, partial(settled, target=self.target)
        if self.stages is None:
            return StageSpace(self.kernel, machine, settle)
        return KernelSpace(self.kernel, machine, self.stages, settle)

    def arguments(self, seed: int) -> list[Array]:
        """What the kernel is given."""
        return arguments(self.kernel, seed)

    def export(self, function: PrimFunc, path: Path) -> None:
        """Make the library of a candidate."""
        export_function(function, self.target, path)

    def reference(self, path: Path, inputs: Sequence[tuple[Path, int]]) -> None:
        """Make the library of the unscheduled program, which the device runs."""
        export_unscheduled(program(self.kernel), self.target, path)
