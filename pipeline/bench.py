"""Models and bundles, each with each number of threads, against the peers."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.bundle import Bundle, read_bundle
from pipeline.compile import Recipe, compile_bundle
from pipeline.contest import TRIALS, Conditions, Contest, Mode, contest
from pipeline.coverage import coverage_text, exceptions, require_tuned
from pipeline.engines.registry import peers_named
from pipeline.environment import describe_environment
from pipeline.errors import RequestError
from pipeline.manifest import MANIFEST, Manifest, file_digest, read_manifest
from pipeline.measure import Progress
from pipeline.models import InputSpec, Model, load, names
from pipeline.peers import peers_folder
from pipeline.processor import require_machine, require_target
from pipeline.results import Environment, ResultFile
from pipeline.runner import QUICK, RECORD, Plan
from pipeline.subject import Subject
from pipeline.targets import Target, gpu_target, is_gpu, target_named
from pipeline.targets.gpu import host_of
from pipeline.turns import Begin, compared, with_turns

# Vectors that accumulate, by the registers there are: the rest hold the factor and give leeway.
ACCUMULATORS = {16: 12, 32: 20}
# Slow engines may take so many times as long as asked for, to have enough samples.
LONGEST = 4
# Or so many seconds, so that there are enough samples of a network of half a second.
LEAST_LIMIT = 60

# Of each engine, where MLPerf's load generator is asked for.
LOADGEN_SECONDS = 10.0


@dataclass(frozen=True)
class Observer:
    """Who hears of what is prepared, of what it is made of, how many contests there will be, of
    each and of its steps."""

    prepare: Progress = lambda _: None
    note: Progress = lambda _: None
    expect: Callable[[int], None] = lambda _: None
    begin: Begin = lambda _, __: None
    step: Progress = lambda _: None


def conditions_of(  # noqa: PLR0913 - each is an option of the command
    peers: list[str],
    seconds: float,
    environment: Mapping[str, str],
    mode: Mode = "standard",
    peer_trials: int = TRIALS,
    loadgen: bool = False,
) -> Conditions:
    """Against which peers, and for how long; `environment` says where the peers live."""
    plans = {
        "standard": Plan(seconds=seconds, limit_seconds=max(LONGEST * seconds, LEAST_LIMIT)),
        "quick": QUICK,
        "record": replace(RECORD, seconds=max(seconds, RECORD.seconds)),
    }
    plan = replace(plans[mode], loadgen_seconds=LOADGEN_SECONDS if loadgen else None)
    return Conditions(
        peers_named(peers), 1, peers_folder(environment), plan, mode, peer_trials=peer_trials
    )


def bench(
    recipes: Sequence[Recipe],
    threads: Sequence[int],
    conditions: Conditions,
    observer: Observer = Observer(),
) -> ResultFile:
    """Measure every recipe, whose `model` may also be the folder of a bundle."""
    for recipe in recipes:
        check_recipe(recipe, "bench")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shufflenet-tvm-")))
        subjects = []
        for number, recipe in enumerate(recipes):
            made = prepared(recipe, folder / str(number), observer.prepare)
            subjects.append(subject_for(*made, recipe))
        for subject in subjects:
            tell_coverage(subject, observer)
        # On a GPU the host's threads have nothing to do.
        timed = {
            count: [one for one in subjects if one.gpu is None or count == threads[0]]
            for count in threads
        }
        observer.expect(sum(len(row) + len(compared(row)) for row in timed.values()))
        contests: dict[int, list[Contest]] = {}
        for count, row in timed.items():
            here = replace(conditions, threads=count, progress=observer.step)
            alone = []
            for subject in row:
                observer.begin(subject.model.name, count)
                alone.append(contest(subject, here))
            contests[count] = with_turns(alone, row, here, observer.begin)
    done = [one for row in contests.values() for one in row]
    return ResultFile(
        environment=_environment(recipes, contests, conditions),
        results=[result for one in done for result in one.results],
        absent=[absence for one in done for absence in one.absent],
    )


def tell_coverage(subject: Subject, observer: Observer) -> None:
    """Tell where the tiles of a bundle are from."""
    kernels = read_manifest(subject.bundle).kernels
    observer.note(f"{subject.model.name}: kernel calls by schedule: {coverage_text(kernels)}")
    for line in exceptions(kernels):
        observer.note(f"  {line}")


def check_recipe(recipe: Recipe, on_gpu: str | None = None) -> None:
    """RequestError for what can be seen to be wrong before anything is compiled; `on_gpu` names the
    command if it serves code for a GPU too."""
    if on_gpu and is_gpu(recipe.target):
        _require_gpu(gpu_target(recipe.target, recipe.dtype).architectures, on_gpu)
    else:
        target = recipe.resolved()
        require_target(target.architecture, target.name, target.features)
    if is_bundle(recipe):
        manifest = read_bundle(Path(recipe.model)).manifest
        _check_machine(manifest, on_gpu)
        if recipe.strict:
            require_tuned(manifest.kernels, manifest.model, manifest.target.name)
    elif recipe.model not in names():
        load(recipe.model)


def _check_machine(manifest: Manifest, on_gpu: str | None) -> None:
    """RequestError unless this machine runs a bundle."""
    require_machine(manifest.target.architecture, manifest.target.features)
    gpu = manifest.target.gpu
    if gpu is None:
        return
    if on_gpu is None:
        raise RequestError("the bundle is for a GPU, which this command does not serve")
    _require_gpu(gpu.architectures, on_gpu)


def is_bundle(recipe: Recipe) -> bool:
    """Whether the recipe names the folder of a bundle."""
    return recipe.model not in names() and Path(recipe.model).is_dir()


def is_for_gpu(recipe: Recipe) -> bool:
    """Whether what the recipe names runs on a GPU."""
    if is_bundle(recipe):
        return read_bundle(Path(recipe.model)).manifest.target.gpu is not None
    return is_gpu(recipe.target)


def prepared(recipe: Recipe, folder: Path, progress: Progress) -> tuple[Bundle, Model]:
    """The bundle of a recipe, compiled to `folder` if it names a model, and its model."""
    if is_bundle(recipe):
        bundle = read_bundle(Path(recipe.model))
        progress(f"{bundle.manifest.model}: loading")
        return bundle, model_of_bundle(bundle, recipe)
    compiled = compile_bundle(recipe, folder, progress=progress)
    return compiled.bundle, compiled.model


def subject_for(bundle: Bundle, model: Model, recipe: Recipe) -> Subject:
    """A bundle as what is measured, on the CPU or on the GPU that it is for."""
    if bundle.manifest.target.gpu is None:
        target = target_named(recipe.target, dtype=bundle.manifest.target.dtype)
        return subject_of(bundle, model, target, recipe.weights)
    from pipeline.gpu.local import require_gpu

    gpu = require_gpu("bench")
    host = subject_of(bundle, model, host_of(gpu), recipe.weights)
    return replace(host, gpu=gpu)


def _require_gpu(architectures: Sequence[int], purpose: str) -> None:
    from pipeline.gpu.local import require_gpu_for

    require_gpu_for(architectures, purpose)


def subject_of(bundle: Bundle, model: Model, target: Target, weights: Path | None) -> Subject:
    """A bundle as what is measured."""
    manifest, machine = bundle.manifest, target.machine
    return Subject(
        model=model,
        weights=weights,
        seed=manifest.weights.seed,
        bundle=bundle.folder,
        target_name=manifest.target.name,
        target=target.tvm,
        lanes=machine.lanes,
        accumulators=ACCUMULATORS[machine.registers],
        family=target.family,
        schedule_sources=manifest.schedule_sources,
        peak_activation_bytes=manifest.peak_activation_bytes,
        dtype=manifest.target.dtype,
    )


def model_of_bundle(bundle: Bundle, recipe: Recipe) -> Model:
    """The model that a bundle was made of, with the same weights."""
    manifest, weights = bundle.manifest, recipe.weights
    if manifest.weights.sha256 != (file_digest(weights) if weights else None):
        wanted = f"--weights {manifest.weights.file}" if manifest.weights.file else "no --weights"
        raise RequestError(
            f"{bundle.folder / MANIFEST} names other weights; bench it with {wanted},"
            " unchanged, or compile it again"
        )
    batch, _, height, width = manifest.input.shape
    spec = InputSpec(height, width, batch, manifest.output.shape[-1])
    return load(manifest.model, spec, weights, manifest.weights.seed)


def _environment(
    recipes: Sequence[Recipe], contests: dict[int, list[Contest]], conditions: Conditions
) -> Environment:
    peaks = {c: max(one.peak_gmacs for one in row) for c, row in contests.items() if row}
    versions = {name: pin for peer in conditions.peers for name, pin in peer.versions.items()}
    seeds = {"weights": recipes[0].seed}
    return describe_environment(seeds, peaks, versions)
