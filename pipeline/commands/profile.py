"""Profile models, kernel by kernel."""

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.config import Config
from pipeline.commands.recipe import recipe_of
from pipeline.commands.screen import output, progress
from pipeline.devices.address import parse_device
from pipeline.devices.cores import parse_cores


def profile(
    subjects: a.Subjects,
    target: a.TargetName = "host",
    threads: a.Threads = "1",
    device: a.Device = "local",
    cores: a.Cores = "big",
    system: a.System = "linux",
    dtype: a.Dtype = "float32",
    seconds: a.Seconds = 3.0,
    json_file: a.ProfileJson = None,
    trace: a.TraceFile = None,
    input_size: a.Size = "224x224",
    batch: a.Batch = 1,
    weights: a.Weights = None,
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    logs: a.Logs = None,
    config: Config = None,
) -> None:
    """Show where the time of a network goes: each kernel, and the PyTorch modules it is made of.

    A second library of the same kernels looks at the clock between them.

    \b
    shufflenet-tvm profile shufflenet-1.0x-g3
    shufflenet-tvm profile shufflenet-1.0x-g3 mobilenet-1.0 --json profile.json
    shufflenet-tvm profile bundle --threads 2 --trace trace.json   # for ui.perfetto.dev
    shufflenet-tvm profile phone --device rpc://127.0.0.1:9190/phone
    shufflenet-tvm profile shufflenet-1.0x-g3 --target cuda --batch 128
    """
    recipes = [
        recipe_of(
            name, target, logs, (input_size, batch, classes), weights, seed, system, dtype=dtype
        )
        for name in subjects
    ]
    remote, which = parse_device(device), parse_cores(cores)
    counts = options.thread_counts(threads, remote is not None)
    limit = options.seconds(seconds)
    path, trace_path = options.result_file(json_file), options.result_file(trace)
    options.require_single(len(recipes) * len(counts), trace_path)
    from pipeline.device_bench import Place
    from pipeline.profiling.gpu_records import GpuProfile
    from pipeline.profiling.gpu_table import describe_gpu, gpu_rows
    from pipeline.profiling.records import Profile
    from pipeline.profiling.run import profile_all
    from pipeline.profiling.table import describe, describe_emulated, profile_rows
    from pipeline.profiling.trace import trace as trace_of
    from pipeline.progress import Steps
    from pipeline.result_files import write_json, write_results
    from pipeline.rows import rich_table

    place = None if remote is None else Place(remote, which)
    with Steps(progress) as steps:
        file = profile_all(recipes, counts, limit, steps.say, place)
    if path is not None:
        write_results(file, path)
    timed: list[Profile | GpuProfile] = [*file.profiles, *file.gpu]
    if trace_path is not None and timed:
        write_json(trace_of(timed[0]), trace_path)
    for one in file.profiles:
        output.print(rich_table(profile_rows(one)))
        for line in describe(one):
            output.print(line, highlight=False)
    for gpu in file.gpu:
        output.print(rich_table(gpu_rows(gpu)))
        for line in describe_gpu(gpu):
            output.print(line, highlight=False)
    for emulated in file.emulated:
        output.print(describe_emulated(emulated), highlight=False, soft_wrap=True)
