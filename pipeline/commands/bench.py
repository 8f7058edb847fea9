"""Measure models and engines."""

import os
from dataclasses import replace

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.config import Config
from pipeline.commands.recipe import reaches_gpu, recipe_of
from pipeline.commands.screen import output, progress
from pipeline.devices.address import parse_device
from pipeline.devices.cores import parse_cores
from pipeline.engines.registry import ON_CPU, ON_GPU

GPU_BATCHES = "1,8,32,128"


def bench(
    subjects: a.SomeSubjects = None,
    suite: a.SuiteName = None,
    target: a.TargetName = "host",
    threads: a.Threads = "1",
    device: a.Device = "local",
    cores: a.Cores = "big",
    cool_down: a.CoolDown = 0.0,
    system: a.System = "linux",
    dtype: a.Dtype = "float32",
    peers: a.Peers = None,
    peer_trials: a.PeerTrials = 640,
    json_file: a.JsonFile = None,
    markdown: a.TablesFile = None,
    seconds: a.Seconds = 3.0,
    quick: a.Quick = False,
    record: a.ForRecord = False,
    loadgen: a.LoadGen = False,
    input_size: a.Size = "224x224",
    batch: a.Batches = None,
    weights: a.Weights = None,
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    logs: a.Logs = None,
    strict: a.Strict = False,
    config: Config = None,
) -> None:
    """Measure models next to each other and next to other engines.

    \b
    shufflenet-tvm bench shufflenet-1.0x-g3 mobilenet-1.0 --threads 1,2
    shufflenet-tvm bench --config bench.toml    # threads = [1, 2], peers = ["openvino"], ...
    shufflenet-tvm bench bundle --peers onnxruntime,openvino --json results.json
    shufflenet-tvm bench shufflenet-0.5x-g3 --peers none --quick
    shufflenet-tvm bench shufflenet-1.0x-g3 --record --json record.json
    shufflenet-tvm bench shufflenet-1.0x-g3 mobilenet-1.0 --target cuda --batch 1,128
    shufflenet-tvm bench phone --device rpc://127.0.0.1:9190/phone --cool-down 30
    shufflenet-tvm bench --suite paper --json paper.json      # the tables of the ShuffleNet paper
    shufflenet-tvm bench --suite shuffle --peers onnxruntime  # what shuffling costs there
    """
    models, remote = options.subjects_or_suite(subjects, suite), parse_device(device)
    reached = remote is None and reaches_gpu(target, "bench")
    recipes = [
        replace(
            recipe_of(name, target, logs, shape, weights, seed, system, dtype=dtype),
            strict=strict,
        )
        for size in options.batch_sizes(batch or (GPU_BATCHES if reached else "1"))
        for name in models
        for shape in [(input_size, size, classes)]
    ]
    counts = options.thread_counts(threads, remote is not None)
    path = options.result_file(json_file)
    text_path = options.result_file(markdown)
    which, rest = parse_cores(cores), options.cool_down(cool_down)
    if remote is not None:
        options.require_no_peers(peers)
        peers = "none"
    if loadgen:
        options.require_package("mlperf_loadgen", "loadgen")
    default_peers = ",".join(ON_GPU if reached else ON_CPU)
    limit, names = options.seconds(seconds), options.peer_names(peers or default_peers)
    mode, tries = options.mode(quick, record), options.peer_trials(peer_trials)
    from pipeline.bench import bench as measure
    from pipeline.bench import conditions_of
    from pipeline.progress import bench_steps
    from pipeline.report import advice, bench_tables
    from pipeline.result_files import write_results, write_text
    from pipeline.rows import markdown_table, rich_table
    from pipeline.suites import suite_named

    complexity = []
    if suite is not None:
        chosen = suite_named(suite)
        recipes, complexity = chosen.recipes(recipes[0]), chosen.complexity()
    conditions = conditions_of(names, limit, os.environ, mode, tries, loadgen)
    with bench_steps(progress, conditions) as steps:
        if remote is None:
            file = measure(recipes, counts, conditions, steps)
        else:
            from pipeline.device_bench import Place, bench_device

            file = bench_device(recipes, counts, Place(remote, which, rest), conditions, steps)
    file = file.model_copy(update={"complexity": complexity})
    if path is not None:
        write_results(file, path)
    tables = bench_tables(file)
    if text_path is not None:
        write_text("\n\n".join(map(markdown_table, tables)) + "\n", text_path)
    for rows in tables:
        output.print(rich_table(rows))
    for line in advice(file.results):
        progress.print(line, highlight=False)
