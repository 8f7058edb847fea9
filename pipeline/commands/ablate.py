"""Leave out one step of compilation at a time."""

import os

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.config import Config
from pipeline.commands.recipe import recipe_of
from pipeline.commands.screen import output, progress


def ablate(
    models: a.Models,
    threads: a.Threads = "1",
    steps: a.StepNames = "all",
    seconds: a.Seconds = 5.0,
    quick: a.Quick = False,
    record: a.ForRecord = False,
    json_file: a.AblationJson = None,
    input_size: a.Size = "224x224",
    batch: a.Batch = 1,
    weights: a.Weights = None,
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    logs: a.Logs = None,
    config: Config = None,
) -> None:
    """Show what each step of compilation brings: the time of the program without that one.

    The programs run in turns, and the output of each is compared with PyTorch's. Operators keep
    their tiles, so that a row shows its step alone.

    \b
    shufflenet-tvm ablate shufflenet-1.0x-g3
    shufflenet-tvm ablate shufflenet-1.0x-g3 mobilenet-1.0 --threads 1,2 --json ablation.json
    shufflenet-tvm ablate shufflenet-0.5x-g3 --steps shuffle,regions --quick
    """
    recipes = [
        recipe_of(name, "host", logs, (input_size, batch, classes), weights, seed)
        for name in models
    ]
    counts, limit = options.thread_counts(threads), options.seconds(seconds)
    path, mode = options.result_file(json_file), options.mode(quick, record)
    wanted = [] if steps == "all" else options.peer_names(steps)
    from pipeline.ablation.run import ablate_all, steps_named
    from pipeline.ablation.table import ablation_rows
    from pipeline.bench import conditions_of
    from pipeline.progress import Steps
    from pipeline.result_files import write_results
    from pipeline.rows import rich_table

    chosen = steps_named(wanted)
    conditions = conditions_of([], limit, os.environ, mode)
    with Steps(progress) as screen:
        file = ablate_all(recipes, counts, conditions, screen.say, chosen)
    if path is not None:
        write_results(file, path)
    for one in file.ablations:
        output.print(rich_table(ablation_rows(one)))
