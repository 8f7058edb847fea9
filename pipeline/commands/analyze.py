"""Look at what the compiler made of a model."""

from dataclasses import replace
from typing import Annotated

import typer

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.recipe import recipe_of
from pipeline.commands.screen import output, progress
from pipeline.errors import RequestError

Batches = Annotated[str, typer.Option("--batch", metavar="1,128", help="Images in an inference.")]


def analyze(
    model: a.Model,
    target: a.TargetName,
    batch: Batches = "1,128",
    json_file: a.JsonFile = None,
    input_size: a.Size = "224x224",
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    logs: a.Logs = None,
    cuda_compiler: a.CudaCompiler = "auto",
) -> None:
    """Show every kernel of a model on a GPU, which need not be there: registers, spills, shared
    memory, occupancy, instructions, bytes, and a modelled bound of its time.

    \b
    shufflenet-tvm analyze shufflenet-1.0x-g3 --target h100
    shufflenet-tvm analyze mobilenet-1.0 --target jetson-orin --batch 1 --json a.json
    """
    counts, path = options.batch_sizes(batch), options.result_file(json_file)
    recipe = recipe_of(model, target, logs, (input_size, counts[0], classes), None, seed)
    from pipeline.targets import is_gpu

    if not is_gpu(target):
        raise RequestError(f"analyze looks at code for GPUs, as h100, and {target} is none")
    from pipeline.gpu.analyze import analyze_on_gpu
    from pipeline.gpu.table import describe, table_of
    from pipeline.progress import Steps
    from pipeline.results import write_results

    with Steps(progress) as steps:
        file = analyze_on_gpu(replace(recipe, cuda_compiler=cuda_compiler), counts, steps.say)
    if path is not None:
        write_results(file, path)
    for report in file.reports:
        output.print(table_of(report))
        for line in describe(report):
            output.print(line, highlight=False)
