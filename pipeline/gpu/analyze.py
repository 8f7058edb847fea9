"""Recipes to analyses on a GPU."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.compile import Recipe
from pipeline.gpu.analysis import GpuReport, analyze
from pipeline.gpu.build import build_gpu
from pipeline.gpu.compilers import compiler_named
from pipeline.measure import Progress
from pipeline.models import load
from pipeline.records import read_records
from pipeline.results import Record
from pipeline.targets import gpu_target


class GpuAnalysisFile(Record):
    """What `analyze --json` writes for a GPU: a report for every batch size."""

    schema_version: int = 1
    reports: list[GpuReport]


def analyze_on_gpu(
    recipe: Recipe, batches: Sequence[int], progress: Progress = lambda _: None
) -> GpuAnalysisFile:
    """Compile a model for the first GPU of the recipe in every batch size, and look at its code."""
    target = replace(gpu_target(recipe.target, recipe.dtype), also=())
    compiler = compiler_named(recipe.cuda_compiler)
    reports = []
    for batch in batches:
        progress(f"{recipe.model}: compiling for {target.name}, batch {batch}")
        spec = replace(recipe.spec, batch=batch)
        model = load(recipe.model, spec, recipe.weights, recipe.seed)
        built = build_gpu(model, target, compiler, records=read_records(recipe.logs, target.family))
        reports.append(analyze(built, target.gpu, recipe.model, batch))
    return GpuAnalysisFile(reports=reports)
