"""Tune models, and compile one when done."""

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.recipe import compile_recipe, recipe_of
from pipeline.commands.screen import progress


def tune(
    names: a.Models,
    target: a.TargetName = "host",
    trials: a.Trials = None,
    time: a.Time = None,
    device: a.Device = "local",
    logs: a.Logs = None,
    out: a.OutAfter = None,
    input_size: a.Size = "224x224",
    batch: a.Batch = 1,
    weights: a.Weights = None,
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
) -> None:
    """Find the best tiles for models on this machine, and keep them in the records.

    \b
    shufflenet-tvm tune shufflenet-1.0x-g3 --time 20m --out bundle
    shufflenet-tvm tune shufflenet-1.0x-g3 mobilenet-1.0 --trials 64 --logs mine
    """
    recipes = [
        recipe_of(name, target, logs, (input_size, batch, classes), weights, seed) for name in names
    ]
    limits = options.trials(trials), options.duration(time)
    options.require_device(device)
    options.require_one(recipes, out)
    from pipeline.tune_models import tune_models
    from pipeline.tuning import Budget
    from pipeline.tuning_progress import TuningSteps

    with TuningSteps(progress) as steps:
        done = tune_models(recipes, Budget(*limits), steps.tell)
    print(
        f"{done.records}: {done.tasks} tasks; measured {done.measured} candidates, "
        f"of which {done.failed} failed"
    )
    if out is not None:
        compile_recipe(recipes[0], out)
