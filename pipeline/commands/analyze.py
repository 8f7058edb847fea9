"""Look at what the compiler made of a model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.recipe import recipe_of
from pipeline.commands.screen import output, progress

if TYPE_CHECKING:
    from pipeline.compile import Recipe

Batches = Annotated[
    str | None,
    typer.Option("--batch", metavar="1,128", help="Images in an inference; several on GPUs only."),
]
Clock = Annotated[
    float | None,
    typer.Option("--ghz", metavar="GHZ", help="Clock of a CPU core; else that of a common device."),
]


def analyze(
    model: a.Subject,
    target: a.TargetName = "host",
    batch: Batches = None,
    json_file: a.JsonFile = None,
    input_size: a.Size = "224x224",
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    logs: a.Logs = None,
    cuda_compiler: a.CudaCompiler = "auto",
    ghz: Clock = None,
    dtype: a.Dtype = "float32",
) -> None:
    """Show what the compiler made of a model, for a device that need not be there.

    For a CPU: instructions and spills of every kernel's innermost loops, the share of the core's
    peak that llvm-mca allows them where it is installed, bytes and their level of memory. For a
    GPU: registers, spills, shared memory, occupancy, instructions, bytes. For both a modelled
    bound of the time.

    \b
    shufflenet-tvm analyze shufflenet-1.0x-g3 --target cortex-a76 --dtype float16
    shufflenet-tvm analyze bundle --ghz 2.84 --json a.json
    shufflenet-tvm analyze shufflenet-1.0x-g3 --target h100
    shufflenet-tvm analyze mobilenet-1.0 --target jetson-orin --batch 1 --json a.json
    """
    path, clock = options.result_file(json_file), options.clock(ghz)

    def recipe(first: int) -> "Recipe":
        return recipe_of(model, target, logs, (input_size, first, classes), None, seed, dtype=dtype)

    from pipeline.targets import is_gpu

    if is_gpu(target):
        counts = options.batch_sizes(batch or "1,128")
        _on_gpu(replace(recipe(counts[0]), cuda_compiler=cuda_compiler), counts, path)
    else:
        _on_cpu(recipe(options.single_batch(batch or "1")), clock, path)


def _on_cpu(recipe: "Recipe", ghz: float | None, path: Path | None) -> None:
    from pipeline.analysis.run import analyze_on_cpu
    from pipeline.analysis.table import describe, table_of
    from pipeline.progress import Steps
    from pipeline.result_files import write_results

    with Steps(progress) as steps:
        analysis = analyze_on_cpu(recipe, ghz, steps.say)
    if path is not None:
        write_results(analysis, path)
    output.print(table_of(analysis))
    for line in describe(analysis):
        output.print(line, highlight=False)


def _on_gpu(recipe: "Recipe", counts: Sequence[int], path: Path | None) -> None:
    from pipeline.gpu.analyze import analyze_on_gpu
    from pipeline.gpu.table import describe, table_of
    from pipeline.progress import Steps
    from pipeline.result_files import write_results

    with Steps(progress) as steps:
        file = analyze_on_gpu(recipe, counts, steps.say)
    if path is not None:
        write_results(file, path)
    for report in file.reports:
        output.print(table_of(report))
        for line in describe(report):
            output.print(line, highlight=False)
