"""Models for a GPU while they are tuned: what that needs, and how they become bundles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.build import read_network
from pipeline.bundle import Bundle
from pipeline.compile import Recipe
from pipeline.devices.address import LOCAL
from pipeline.engines.registry import OURS_CUDA
from pipeline.errors import RequestError
from pipeline.gpu.build import build_gpu, calls_on
from pipeline.gpu.compilers import Compiler, compiler_named
from pipeline.gpu.export import export_gpu
from pipeline.gpu.graph import cuda_runtime
from pipeline.gpu.local import require_gpu, runs_code_of
from pipeline.linker import linker_for
from pipeline.models import Model
from pipeline.records import read_records
from pipeline.targets import GpuTarget, gpu_target
from pipeline.targets.gpu import LOCAL as LOCAL_GPU
from pipeline.tune.gpu_kind import GpuKind, gpu_tasks
from pipeline.tuning import Options, Progress, Summary, tune_tasks


@dataclass(frozen=True)
class GpuTuner:
    """The first GPU of a target, the folder of records, and what makes code."""

    target: GpuTarget
    logs: Path
    compiler: Compiler
    engine = OURS_CUDA
    verifies_there = False

    @property
    def family(self) -> str:
        """The name of the records."""
        return self.target.family

    def require(self, devices: Sequence[str]) -> None:
        """RequestError if something is missing, before anything is loaded."""
        linker_for(self.target.host)
        self.compiler.require(self.target.architectures)
        if LOCAL not in devices:
            return
        gpu = require_gpu("tune")
        if not runs_code_of(gpu.architecture, self.target.gpu.architecture):
            raise RequestError(
                f"code for {self.target.name} does not run on the GPU here, which is of compute "
                f"capability {gpu.architecture / 10:.1f}; take --target {LOCAL_GPU}, or name a "
                "device: --device rpc://HOST:PORT/KEY"
            )
        cuda_runtime()

    def tune(
        self, models: Sequence[Model], options: Options, progress: Callable[[Progress], None]
    ) -> Summary:
        """Tune the kernels of these."""
        tasks = gpu_tasks([calls_on(read_network(model), self.target) for model in models])
        kind = GpuKind(self.target, self.compiler)
        return tune_tasks(tasks, kind, self.logs, options, progress)

    def bundle(self, model: Model, folder: Path) -> Bundle:
        """A model with the records."""
        records = read_records(self.logs, self.family)
        built = build_gpu(model, self.target, self.compiler, records=records)
        return export_gpu(built, model, self.target, folder)


def gpu_tuner(recipe: Recipe) -> GpuTuner:
    """What tunes for the first GPU of a recipe, whose tiles the code for others has too."""
    if recipe.system != "linux":
        raise RequestError(f"GPUs are served under Linux, not {recipe.system}")
    target = replace(gpu_target(recipe.target, recipe.dtype), also=())
    return GpuTuner(target, recipe.logs, compiler_named(recipe.cuda_compiler))
