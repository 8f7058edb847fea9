"""One model from its name to a bundle."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.build import build
from pipeline.bundle import Bundle
from pipeline.coverage import require_tuned
from pipeline.errors import RequestError
from pipeline.export import export
from pipeline.folders import check_place
from pipeline.linker import linker_for
from pipeline.measure import Progress
from pipeline.models import InputSpec, Model, load
from pipeline.provenance import describe_kernels, describe_weights
from pipeline.records import Records, read_records
from pipeline.targets import Target, gpu_target, is_gpu, target_named


@dataclass(frozen=True)
class Recipe:
    """What a bundle is made of: the model, its weights, the target, and the folder of records.

    `linker` is a C compiler to link with, where it should not be the one that is found; `strict`
    refuses kernels that are not tuned; `cuda_compiler` is what makes code for GPUs; `dtype` is the
    type of weights and arithmetic.
    """

    model: str
    target: str
    logs: Path
    spec: InputSpec = InputSpec()  # noqa: RUF009 - frozen
    weights: Path | None = None
    seed: int = 0
    system: str = "linux"
    linker: Path | None = None
    strict: bool = False
    cuda_compiler: str = "auto"
    dtype: str = "float32"

    def resolved(self) -> Target:
        """The target that it names; RequestError if there is none with that arithmetic."""
        return target_named(self.target, self.system, self.dtype)


@dataclass(frozen=True)
class Compiled:
    """The bundle and the model that it is checked against."""

    bundle: Bundle
    model: Model


def compile_bundle(
    recipe: Recipe,
    folder: Path,
    dump: Path | None = None,
    progress: Progress = lambda _: None,
) -> Compiled:
    """Make the bundle at `folder`; what is wrong with the request is found before it is built."""
    check_place(folder)
    if is_gpu(recipe.target):
        return _compile_gpu(recipe, folder, dump, progress)
    target = recipe.resolved()
    linker = linker_for(target, recipe.linker)
    records = read_records(recipe.logs, target.family)
    progress(f"{recipe.model}: loading")
    model = load(recipe.model, recipe.spec, recipe.weights, recipe.seed)
    progress(f"{recipe.model}: compiling, with {_listed(records)}")
    built = build(model, target, records, dump)
    if recipe.strict:
        require_tuned(describe_kernels(built), recipe.model, recipe.target)
    progress(f"{recipe.model}: linking and checking")
    weights = describe_weights(recipe.weights, recipe.seed)
    return Compiled(export(built, model, target, folder, weights, linker), model)


def _listed(records: Records) -> str:
    outdated = f", {len(records.outdated)} of another TVM left out" if records.outdated else ""
    return f"{len(records.by_key)} tuning records{outdated}"


def _compile_gpu(recipe: Recipe, folder: Path, dump: Path | None, progress: Progress) -> Compiled:
    """The same for GPUs."""
    # What only GPUs need is imported for them only.
    from pipeline.gpu.build import build_gpu
    from pipeline.gpu.compilers import compiler_named
    from pipeline.gpu.export import export_gpu

    target, compiler = gpu_target(recipe.target, recipe.dtype), compiler_named(recipe.cuda_compiler)
    compiler.require(target.architectures)
    if recipe.system != "linux":
        raise RequestError(f"GPUs are served under Linux, not {recipe.system}")
    linker = linker_for(target.host, recipe.linker)
    records = read_records(recipe.logs, target.family)
    progress(f"{recipe.model}: loading")
    model = load(recipe.model, recipe.spec, recipe.weights, recipe.seed)
    progress(
        f"{recipe.model}: compiling for {target.name} with {compiler.label}, {_listed(records)}"
    )
    built = build_gpu(model, target, compiler, dump, records)
    progress(f"{recipe.model}: linking")
    weights = describe_weights(recipe.weights, recipe.seed)
    bundle = export_gpu(built, model, target, folder, weights, linker)
    if recipe.strict:
        require_tuned(bundle.manifest.kernels, recipe.model, recipe.target)
    return Compiled(bundle, model)
