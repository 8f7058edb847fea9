"""Tuning for CPUs: operators with one thread, kernels with one and with all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.targets import Target
from pipeline.tasks import Task
from pipeline.tune.conditions import conditions
from pipeline.tune.cpu_subject import CpuSubject
from pipeline.tune.kind import Tiles
from pipeline.tune.stage_tiles import stage_tiles
from schedules.cpu.kernel import Kernel


@dataclass(frozen=True)
class CpuKind:
    """A CPU as it is tuned for."""

    target: Target
    on_cores = True
    foretold = True

    @property
    def family(self) -> str:
        """The name of records and journal."""
        return self.target.family

    @property
    def processor(self) -> str:
        """TVM's name of it."""
        return "cpu"

    @property
    def settings(self) -> dict[str, str]:
        """All cores, and the runtime without the compiler, which loads in less than half the
        time."""
        cores = str(self.target.machine.cores)
        return {"TVM_NUM_THREADS": cores, "TVM_BIND_THREADS": "1", "TVM_USE_RUNTIME_LIB": "1"}

    def conditions(self, device: str) -> dict[str, Any]:
        """The target, the compiler and the kind of device."""
        return conditions(self.target, device)

    def threads(self, task: Task) -> tuple[int, ...]:
        """A stage is for one thread; a kernel is for one and for all, as one library serves
        both."""
        return self.kernel_threads if task.kind == "kernel" else (1,)

    @property
    def kernel_threads(self) -> tuple[int, ...]:
        """All cores, and one."""
        cores = self.target.machine.cores
        return (cores, 1) if cores > 1 else (1,)

    def subject(self, task: Task, best: Mapping[str, Tiles]) -> CpuSubject:
        """A kernel takes the best tiles of its stages by their workloads."""
        assert isinstance(task.kernel, Kernel)
        if task.kind == "stage":
            return CpuSubject(task.kernel, self.target)
        machine = self.target.machine
        tiles = tuple(stage_tiles(stage, machine, best) for stage in task.kernel.stages)
        return CpuSubject(task.kernel, self.target, tiles)
