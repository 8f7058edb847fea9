"""What tuning has written: journals and records."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.screen import print_rows

Folder = Annotated[
    Path | None,
    typer.Option("--logs", metavar="DIR", help="Where they are.  [default: tuning_logs]"),
]
Family = Annotated[str, typer.Argument(metavar="FAMILY", help="As `logs list` names it.")]
Task = Annotated[str | None, typer.Option(metavar="T", help="The candidates of this task.")]
Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files to read.")]
For = Annotated[
    str | None, typer.Option("--family", metavar="F", help="Start another family's search there.")
]
OutFolder = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where to.  [default: the same folder]")
]
Failures = Annotated[bool, typer.Option("--failures", help="Failed ones too, to try them again.")]

logs = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="""Journals and records of tuning.

    A journal holds every candidate and what became of it; records, which builds read, hold the
    best of each task. What comes from another machine is measured again before it counts.""",
)


@logs.command("list")
def list_(folder: Folder = None, as_json: a.AsJson = False) -> None:
    """Say what there is.

    \b
    shufflenet-tvm logs list
    """
    from pipeline.tune.logs import list_logs

    print_rows(list_logs(folder or options.default_logs()), as_json)


@logs.command()
def show(
    family: Family, task: Task = None, folder: Folder = None, as_json: a.AsJson = False
) -> None:
    """Show the tasks of a journal, or the candidates of one.

    \b
    shufflenet-tvm logs show x86_64-avx2-16fma
    shufflenet-tvm logs show x86_64-avx2-16fma --task 51ab --json
    """
    from pipeline.tune.logs import show_candidates, show_tasks

    where = folder or options.default_logs()
    rows = show_candidates(where, family, task) if task else show_tasks(where, family)
    if not as_json:
        # A trace has as many lines as a schedule has moves.
        rows = [{name: row[name] for name in row if name != "trace"} for row in rows]
    print_rows(rows, as_json)


@logs.command()
def export(family: Family, out: OutFolder = None, folder: Folder = None) -> None:
    """Write the records of what the journal has decided on.

    \b
    shufflenet-tvm logs export x86_64-avx2-16fma --out elsewhere
    """
    from pipeline.tune.moves import export_records

    where = folder or options.default_logs()
    count = export_records(where, family, out or where)
    print(f"{count} records of {family} written to {out or where}")


@logs.command("import")
def import_(files: Files, family: For = None, folder: Folder = None) -> None:
    """Take records as starting points, which the next run measures again.

    \b
    shufflenet-tvm logs import from-a-colleague/x86_64-avx2-16fma.jsonl
    shufflenet-tvm logs import aarch64-cortex-a76-8fma.jsonl --family aarch64-cortex-a78-8fma
    """
    from pipeline.tune.moves import import_records

    for name, count in import_records(folder or options.default_logs(), files, family).items():
        print(f"{count} starting points for {name}; they count once measured: tune again")


@logs.command()
def merge(files: Files, folder: Folder = None) -> None:
    """Take what other journals of a family found as starting points, and their candidates to see.

    \b
    shufflenet-tvm logs merge elsewhere/x86_64-avx2-16fma.journal.sqlite
    """
    from pipeline.tune.moves import merge_journals

    for name, count in merge_journals(folder or options.default_logs(), files).items():
        print(f"{count} starting points for {name}; they count once measured: tune again")


@logs.command()
def prune(family: Family, failures: Failures = False, folder: Folder = None) -> None:
    """Remove candidates that no run can use any more.

    \b
    shufflenet-tvm logs prune x86_64-avx2-16fma
    shufflenet-tvm logs prune x86_64-avx2-16fma --failures
    """
    from pipeline.tune.moves import prune as remove

    count = remove(folder or options.default_logs(), family, failures)
    print(f"{count} candidates of {family} removed")
