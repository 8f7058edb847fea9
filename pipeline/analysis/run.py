"""Recipes to analyses of code for a CPU."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.analysis.bound import FORMULA, bound_ms, level_of, memory_cycles
from pipeline.analysis.clocks import clock_of
from pipeline.analysis.code import compute_cycles, facts_of
from pipeline.analysis.mca import find_mca, model_of
from pipeline.analysis.records import Analysis, KernelFacts
from pipeline.bench import is_bundle, model_of_bundle
from pipeline.build import Lowered, Served, apply, kernel_name, lower, serve
from pipeline.bundle import Bundle, read_bundle
from pipeline.compile import Recipe
from pipeline.measure import Progress
from pipeline.models import Model, load
from pipeline.passes.group_stages import Call
from pipeline.profiling.profile import kernel_entries, tile_of
from pipeline.profiling.traffic import tensors_of
from pipeline.records import read_records
from pipeline.targets import Target, target_named
from schedules.cpu.border import Border
from schedules.cpu.kernel import Kernel


@dataclass(frozen=True)
class Tiled:
    """A network as kernels with their tiles, for a kind of core."""

    model: Model
    target: Target
    lowered: Lowered
    served: Mapping[Kernel, Served]


def analyze_on_cpu(
    recipe: Recipe, ghz: float | None = None, progress: Progress = lambda _: None
) -> Analysis:
    """Compile a model, or anew what a bundle holds, and look at its code; nothing is run."""
    progress(f"{recipe.model}: loading")
    if is_bundle(recipe):
        tiled = _of_bundle(read_bundle(Path(recipe.model)), recipe)
    else:
        target = target_named(recipe.target, dtype=recipe.dtype)
        model = load(recipe.model, recipe.spec, recipe.weights, recipe.seed)
        lowered, records = lower(model, target), read_records(recipe.logs, target.family)
        served = {kernel: serve(kernel, target, records) for kernel in lowered.kernels}
        tiled = Tiled(model, target, lowered, served)
    return analysis_of(tiled, clock_of(tiled.target, ghz), find_mca(), progress)


def analysis_of(
    tiled: Tiled, ghz: float, program: str | None, progress: Progress = lambda _: None
) -> Analysis:
    """What the code of a network holds; `program` is llvm-mca, None where it is not installed."""
    model, target = tiled.model, tiled.target
    calls = Counter(call.kernel for call in tiled.lowered.calls)
    first = {call.kernel: call for call in reversed(tiled.lowered.calls)}
    kernels = []
    for number, kernel in enumerate(tiled.lowered.kernels):
        name = kernel_name(kernel, number)
        progress(f"{model.name}: compiling {name} for {target.name}")
        kernels.append(_facts(tiled, first[kernel], name, calls[kernel], program))
    return Analysis(
        model=model.name,
        target=target.name,
        dtype=target.dtype,
        input_size=model.input_size,
        batch=model.batch,
        ghz=ghz,
        model_of_core=model_of(target) if program else None,
        formula=FORMULA,
        bound_ms=bound_ms(kernels, ghz),
        peak_ms=model.macs * model.batch / target.machine.fma_lanes / ghz / 1e6,
        kernels=kernels,
    )


def _facts(tiled: Tiled, call: Call, name: str, calls: int, program: str | None) -> KernelFacts:
    kernel, served = call.kernel, tiled.served[call.kernel]
    loops = facts_of(apply(kernel, served.tile), tiled.target, program)
    works = [s.work for s in kernel.stages if not isinstance(s.work, Border) and not s.continues]
    target, size = works[-1].target, tensors_of(call).bytes
    return KernelFacts(
        function=name,
        operators=[type(work).__name__ for work in works],
        output=f"{target.height}x{target.width}x{target.channels}",
        calls=calls,
        source=served.source,
        macs=kernel.macs,
        bytes=size,
        level=level_of(size, tiled.target.machine),
        compute_cycles=compute_cycles(loops),
        memory_cycles=memory_cycles(size, tiled.target.machine),
        loops=loops,
    )


def _of_bundle(bundle: Bundle, recipe: Recipe) -> Tiled:
    """The kernels of a bundle with the tiles that its manifest names."""
    manifest = bundle.manifest
    target = target_named(manifest.target.name, dtype=manifest.target.dtype)
    model = model_of_bundle(bundle, replace(recipe, target=target.name))
    lowered = lower(model, target)
    entries = kernel_entries(bundle, lowered)
    pairs = zip(lowered.kernels, entries.values(), strict=True)
    served = {kernel: Served(tile_of(entry, kernel), entry.source) for kernel, entry in pairs}
    return Tiled(model, target, lowered, served)
