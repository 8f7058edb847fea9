"""The command line: parses, calls, prints. What is heavy is imported by the command it is for."""

import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from pipeline import arguments as a
from pipeline import options
from pipeline.errors import RequestError, WorkFailedError

if TYPE_CHECKING:
    from pipeline.compile import Recipe

app = typer.Typer(
    name="shufflenet-tvm",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""ShuffleNet and MobileNet, compiled and tuned with TVM.

    \b
      shufflenet-tvm doctor
      shufflenet-tvm compile shufflenet-1.0x-g3 --out bundle
      shufflenet-tvm bench shufflenet-1.0x-g3 mobilenet-1.0 --threads 1,2

    COMMAND --help has more examples.""",
)
# A table that is folded to the width that a pipe is taken to have cannot be read.
PIPE_WIDTH = 200
output = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
progress = Console(stderr=True)


@app.command()
def models(as_json: a.AsJson = False) -> None:
    """List the models by name.

    \b
    shufflenet-tvm models
    shufflenet-tvm models --json
    """
    from pipeline.tables import describe_models

    _print_rows(describe_models(), as_json)


@app.command()
def targets(as_json: a.AsJson = False) -> None:
    """List what can be compiled for.

    \b
    shufflenet-tvm targets
    """
    from pipeline.tables import describe_targets

    _print_rows(describe_targets(), as_json)


@app.command()
def doctor(logs: a.Logs = None) -> None:
    """Say what this machine lacks, and what to do.

    \b
    shufflenet-tvm doctor
    """
    from pipeline.doctor import examine
    from pipeline.tables import describe_findings

    findings = examine(logs or options.default_logs())
    _print_rows(describe_findings(findings), as_json=False)
    if any(finding.state == "problem" for finding in findings):
        raise typer.Exit(1)


@app.command()
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
        _recipe(name, target, logs, (input_size, batch, classes), weights, seed) for name in names
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
        _compile(recipes[0], out)


@app.command("compile")
def compile_(
    model: a.Model,
    out: a.Out,
    target: a.TargetName = "host",
    input_size: a.Size = "224x224",
    batch: a.Batch = 1,
    weights: a.Weights = None,
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    logs: a.Logs = None,
    dump_ir: a.DumpIr = None,
) -> None:
    """Compile a model to a bundle: a folder that TVM's runtime alone can run.

    \b
    shufflenet-tvm compile shufflenet-1.0x-g3 --out bundle
    shufflenet-tvm compile mobilenet-0.5 --input-size 160x160 --weights mine.pth --out bundle
    """
    recipe = _recipe(model, target, logs, (input_size, batch, classes), weights, seed)
    _compile(recipe, out, options.dump_folder(dump_ir))


@app.command()
def bench(
    subjects: a.Subjects,
    target: a.TargetName = "host",
    threads: a.Threads = "1",
    device: a.Device = "local",
    peers: a.Peers = "torch,onnxruntime",
    json_file: a.JsonFile = None,
    seconds: a.Seconds = 3.0,
    input_size: a.Size = "224x224",
    batch: a.Batch = 1,
    weights: a.Weights = None,
    classes: a.Classes = 1000,
    seed: a.Seed = 0,
    logs: a.Logs = None,
) -> None:
    """Measure models next to each other and next to other engines.

    \b
    shufflenet-tvm bench shufflenet-1.0x-g3 mobilenet-1.0 --threads 1,2
    shufflenet-tvm bench bundle --peers onnxruntime,openvino --json results.json
    shufflenet-tvm bench shufflenet-0.5x-g3 --peers none --seconds 2
    """
    recipes = [
        _recipe(name, target, logs, (input_size, batch, classes), weights, seed)
        for name in subjects
    ]
    counts, path = options.thread_counts(threads), options.result_file(json_file)
    options.require_device(device)
    limit, names = options.seconds(seconds), options.peer_names(peers)
    from pipeline.bench import bench as measure
    from pipeline.bench import conditions_of
    from pipeline.progress import bench_steps
    from pipeline.report import advice, latency_rows, ratio_rows, rich_table
    from pipeline.results import write_results

    conditions = conditions_of(names, limit, os.environ)
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


@app.command()
def verify(bundle: a.BundleFolder, device: a.Device = "local") -> None:
    """Check a bundle: that it is whole, fits this CPU, and computes what PyTorch computed.

    \b
    shufflenet-tvm verify bundle
    """
    from pipeline.bundle import read_bundle
    from pipeline.bundle import verify as check

    found = check(read_bundle(bundle), device)
    print(
        f"{bundle}: good; differs from PyTorch by {found.torch.max_relative_error:.0e}, "
        f"from its output when compiled by {found.compiled.max_relative_error:.0e}"
    )


def main() -> None:
    """Run the command; the exit status is 0 for done, 1 for failed work, 2 for a wrong request."""
    # Libraries warn of matters of their own; what a user can act on is an error.
    warnings.simplefilter("ignore")
    words = sys.argv[1:] or ["--help"]
    sys.exit(status_of(lambda: app(words, prog_name="shufflenet-tvm", standalone_mode=False)))


def status_of(command: Callable[[], object]) -> int:
    """Run a command; what goes wrong for a reason that its user can act on is one line."""
    try:
        returned = command()
    except (RequestError, typer.TyperException) as error:
        return _fail(_message(error), 2)
    except (WorkFailedError, OSError) as error:
        return _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted", 130)
    return returned if isinstance(returned, int) else 0


def _message(error: Exception) -> str:
    """What is wrong; of a usage error with the name of the option."""
    describe = getattr(error, "format_message", None)
    return str(describe() if describe else error)


def _fail(message: str, status: int) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return status


def _recipe(
    model: str,
    target: str,
    logs: Path | None,
    shape: tuple[str, int, int],
    weights: Path | None,
    seed: int,
) -> "Recipe":
    """What is asked for; only its spelling is checked here."""
    size, batch, classes = shape
    height, width = options.input_size(size)
    from pipeline.compile import Recipe
    from pipeline.models import InputSpec

    spec = InputSpec(height, width, batch, classes)
    return Recipe(model, target, logs or options.default_logs(), spec, weights, seed)


def _compile(recipe: "Recipe", out: Path, dump: Path | None = None) -> None:
    from pipeline.compile import compile_bundle
    from pipeline.progress import Steps
    from pipeline.tables import compiled_line

    with Steps(progress) as steps:
        bundle = compile_bundle(recipe, out, dump, steps.say).bundle
    print(compiled_line(out, bundle.manifest))


def _print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    from pipeline.tables import table_of

    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        output.print(table_of(rows))


if __name__ == "__main__":
    main()
