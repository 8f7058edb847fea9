"""Measure models and engines."""

import os
from dataclasses import replace

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.recipe import recipe_of, require_reach
from pipeline.commands.screen import output, progress


def bench(
    subjects: a.Subjects,
    target: a.TargetName = "host",
    threads: a.Threads = "1",
    device: a.Device = "local",
    peers: a.Peers = "torch,onnxruntime",
    json_file: a.JsonFile = None,
    seconds: a.Seconds = 3.0,
    quick: a.Quick = False,
    record: a.ForRecord = False,
    input_size: a.Size = "224x224",
    batch: a.Batch = 1,
    weights: a.Weights = None,
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    logs: a.Logs = None,
    strict: a.Strict = False,
) -> None:
    """Measure models next to each other and next to other engines.

    \b
    shufflenet-tvm bench shufflenet-1.0x-g3 mobilenet-1.0 --threads 1,2
    shufflenet-tvm bench bundle --peers onnxruntime,openvino --json results.json
    shufflenet-tvm bench shufflenet-0.5x-g3 --peers none --quick
    shufflenet-tvm bench shufflenet-1.0x-g3 --record --json record.json
    """
    recipes = [
        replace(
            recipe_of(name, target, logs, (input_size, batch, classes), weights, seed),
            strict=strict,
        )
        for name in subjects
    ]
    counts, path = options.thread_counts(threads), options.result_file(json_file)
    options.require_device(device)
    require_reach(target, "bench")
    limit, names = options.seconds(seconds), options.peer_names(peers)
    mode = options.mode(quick, record)
    from pipeline.bench import bench as measure
    from pipeline.bench import conditions_of
    from pipeline.progress import bench_steps
    from pipeline.report import advice, latency_rows, ratio_rows, rich_table
    from pipeline.results import write_results

    conditions = conditions_of(names, limit, os.environ, mode)
    with bench_steps(progress, conditions, len(recipes) * len(counts)) as steps:
        file = measure(recipes, counts, conditions, steps)
    if path is not None:
        write_results(file, path)
    output.print(rich_table(latency_rows(file.results, file.absent)))
    ratios = ratio_rows(file.results)
    if ratios.cells:
        output.print(rich_table(ratios))
    for line in advice(file.results):
        progress.print(line, highlight=False)
