"""What there is to tune in a network: its distinct operators, and its whole kernels.

An operator is tuned alone first, as a kernel of one stage. Which of its best tiles is the fastest
in a kernel depends on what the other stages leave in the caches: so a kernel's strips and its
stages' tiles are tuned again together.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.build import Lowered
from pipeline.records import canonical, describe_kernel, describe_work
from schedules.cpu.border import Border
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.operators import Work
from schedules.cuda.operators import Work as GpuWork
from schedules.frame import Frame, Planes


@dataclass(frozen=True)
class Task:
    """A kernel of one stage whose tile is sought, or a whole kernel, which for a GPU is one work.

    `calls` is how often the networks run it.
    """

    kind: Literal["stage", "kernel"]
    name: str
    kernel: Kernel | GpuWork
    calls: int

    @property
    def workload(self) -> dict[str, Any]:
        """What its record is found by."""
        if not isinstance(self.kernel, Kernel):
            return describe_work(self.kernel)
        if self.kind == "kernel":
            return describe_kernel(self.kernel)
        return describe_work(self.kernel.stages[0].work)

    @property
    def macs(self) -> int:
        """Multiply-adds of one call."""
        return self.kernel.macs


def tasks_of(*lowered: Lowered) -> list[Task]:
    """The tasks of the networks, each once: stages, then kernels, those with most work first."""
    stages: Counter[Kernel] = Counter()
    kernels: Counter[Kernel] = Counter()
    for call in (call for network in lowered for call in network.calls):
        kernels[call.kernel] += 1
        stages.update(alone(s) for s in call.kernel.stages if not isinstance(s.work, Border))
    return [*_tasks("stage", stages), *_tasks("kernel", kernels)]


def alone(stage: Stage) -> Kernel:
    """A kernel of a stage only, named by roles, so that equal operators are equal kernels."""
    reads = tuple((role, role) for role, _ in stage.reads if role != "beside")
    return Kernel((Stage(_operator(stage.work), stage.work, reads, "out"),))


def _tasks(kind: Literal["stage", "kernel"], counts: Counter[Kernel]) -> list[Task]:
    tasks: dict[str, Task] = {}
    for kernel, calls in counts.items():
        task = Task(kind, _name(kernel), kernel, calls)
        tasks.setdefault(canonical(task.workload), task)
    return sorted(tasks.values(), key=lambda task: -task.calls * task.macs)


def _name(kernel: Kernel) -> str:
    works = [stage.work for stage in kernel.stages if not isinstance(stage.work, Border)]
    operators = " + ".join(_operator(work) for work in works)
    return f"{operators} {_extents(works[0].source)} to {_extents(works[-1].target)}"


def _operator(work: Work) -> str:
    return type(work).__name__.lower()


def _extents(frame: Frame | Planes) -> str:
    channels = frame.planes if isinstance(frame, Planes) else frame.channels
    return f"{frame.height}x{frame.width}x{channels}"
