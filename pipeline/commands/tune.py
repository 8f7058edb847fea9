"""Tune models, and compile one when done."""

from dataclasses import replace
from typing import Annotated

import typer

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.config import Config
from pipeline.commands.recipe import compile_recipe, recipe_of
from pipeline.commands.screen import print_rows, progress
from pipeline.errors import RequestError

Names = Annotated[
    list[str] | None, typer.Argument(metavar="MODEL...", help="Names, as of `models`.")
]
Plateau = Annotated[bool, typer.Option("--until-plateau", help="Until no task improves any more.")]
Status = Annotated[bool, typer.Option("--status", help="Show how far the runs of this folder are.")]
AsJson = Annotated[bool, typer.Option("--json", help="With --status, for a program.")]


def tune(
    names: Names = None,
    target: a.TargetName = "host",
    system: a.System = "linux",
    dtype: a.Dtype = "float32",
    trials: a.Trials = None,
    time: a.Time = None,
    until_plateau: Plateau = False,
    device: a.Device = "local",
    logs: a.Logs = None,
    out: a.OutAfter = None,
    input_size: a.Size = "224x224",
    batch: a.Batch = 1,
    weights: a.Weights = None,
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    cuda_compiler: a.CudaCompiler = "auto",
    status: Status = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Find the best tiles for models, and keep them in the records.

    The same command goes on where an interrupted one stopped. Several devices, after commas,
    measure side by side.

    \b
    shufflenet-tvm tune shufflenet-1.0x-g3 --time 20m --out bundle
    shufflenet-tvm tune shufflenet-1.0x-g3 mobilenet-1.0 --trials 64 --logs mine
    shufflenet-tvm tune shufflenet-1.0x-g3 --target cortex-a76 --device rpc://127.0.0.1:9190/pi
    shufflenet-tvm tune shufflenet-1.0x-g3 --target cuda --trials 64 --out bundle
    shufflenet-tvm tune --status
    """
    if status:
        from pipeline.tune.status import describe_runs

        print_rows(describe_runs(logs or options.default_logs()), as_json)
        return
    if not names:
        raise RequestError(
            "name a model to tune, or ask for --status; names: shufflenet-tvm models"
        )
    shape = (input_size, batch, classes)
    recipes = [
        replace(
            recipe_of(name, target, logs, shape, weights, seed, system, dtype=dtype),
            cuda_compiler=cuda_compiler,
        )
        for name in names
    ]
    limits = options.trials(trials), options.duration(time), until_plateau
    devices = options.devices(device)
    options.require_one(recipes, out)
    from pipeline.tune_models import tune_models
    from pipeline.tuning import Budget, Options
    from pipeline.tuning_progress import TuningSteps, tally_lines

    wanted = Options(Budget(*limits), devices, request=" ".join(names))
    with TuningSteps(progress) as steps:
        done = tune_models(recipes, wanted, steps.tell, steps.say)
    print(f"{done.records}: {done.tasks} tasks")
    for line in tally_lines(done.tally, done.seconds):
        print(line)
    if out is not None:
        compile_recipe(recipes[0], out)
