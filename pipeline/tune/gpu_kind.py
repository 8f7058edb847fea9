"""Tuning for GPUs: every distinct kernel of the networks, by itself."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import tvm

from pipeline.compiling import OPTIONS
from pipeline.devices.address import LOCAL
from pipeline.gpu import compilers, device_source
from pipeline.gpu.calls import Call
from pipeline.gpu.compilers import Compiler
from pipeline.gpu.runtime import load_runtime
from pipeline.gpu.steps import steps_of
from pipeline.records import canonical
from pipeline.targets import GpuTarget
from pipeline.tasks import Task
from pipeline.tune.gpu_subject import GpuSubject
from pipeline.tune.kind import Tiles
from schedules.cuda.mean import Mean
from schedules.cuda.operators import Work
from schedules.frame import Frame, Planes


@dataclass(frozen=True)
class GpuKind:
    """A GPU as it is tuned for, and what makes code for it."""

    target: GpuTarget
    compiler: Compiler
    on_cores = False
    # What a build uses without records is known first, as a count of cycles is all it goes by.
    foretold = False

    @property
    def family(self) -> str:
        """The name of records and journal."""
        return self.target.family

    @property
    def processor(self) -> str:
        """TVM's name of it."""
        return "cuda"

    @property
    def settings(self) -> dict[str, str]:
        """None: the process loads TVM's runtime for CUDA as other commands do."""
        return {}

    def conditions(self, device: str) -> dict[str, Any]:
        """The GPU's record, both compilers, how they are used, and the GPU's name."""
        return {
            "family": self.family,
            "gpu": asdict(self.target.gpu),
            "compiler": {
                "tvm": metadata.version("apache-tvm"),
                "options": OPTIONS,
                "cuda": self.compiler.label,
                "source": _made_by(device_source, compilers),
            },
            "device": gpu_name() if device == LOCAL else device,
        }

    def threads(self, task: Task) -> tuple[int, ...]:
        """A GPU has its own; the CPU's one starts kernels."""
        return (1,)

    def subject(self, task: Task, best: Mapping[str, Tiles]) -> GpuSubject:
        """The kernel."""
        assert isinstance(task.kernel, Work)
        return GpuSubject(task.kernel, self.target, self.compiler.name)


def gpu_tasks(networks: Sequence[Sequence[Call]]) -> list[Task]:
    """Every distinct kernel of the networks, those with most work first."""
    counts = Counter(call.work for calls in networks for call in calls)
    tasks: dict[str, Task] = {}
    for work, calls in counts.items():
        task = Task("kernel", _name(work), work, calls)
        tasks.setdefault(canonical(task.workload), task)
    return sorted(tasks.values(), key=lambda task: -task.calls * task.macs)


def gpu_name() -> str:
    """The GPU of this machine as it calls itself."""
    load_runtime()
    return str(tvm.cuda(0).device_name)


def _made_by(*modules: ModuleType) -> str:
    """A name for what makes device code of a program, as it is: programs do not tell of it."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


def _name(work: Work) -> str:
    steps = " + ".join(steps_of(work))
    return f"{steps} {_extents(work.source)} to {_extents(_target(work))}"


def _target(work: Work) -> Frame:
    return work.source if isinstance(work, Mean) else work.target


def _extents(frame: Frame | Planes) -> str:
    channels = frame.planes if isinstance(frame, Planes) else frame.channels
    batch = f"{frame.images} x " if frame.images > 1 else ""
    return f"{batch}{frame.height}x{frame.width}x{channels}"
