"""Compare two result files."""

import typer

from pipeline import arguments as a
from pipeline import options
from pipeline.commands.screen import output, print_json


def compare(
    old: a.OldFile,
    new: a.NewFile,
    fail_above: a.FailAbove = "3%",
    engine: a.EngineName = "shufflenet-tvm",
    as_json: a.AsJson = False,
) -> None:
    """Say what became slower or faster between two result files of one machine.

    Times are compared at equal clock: as multiples of bare multiply-adds, which `bench` times in
    turns with every engine.

    Ends with status 1 if something is slower by more than --fail-above and that is certain, or is
    missing in the new file. `bench --record` makes files that tell 3 % apart on a quiet machine.

    \b
    shufflenet-tvm compare old.json new.json
    shufflenet-tvm compare old.json new.json --fail-above 5% --engine all
    """
    margin = options.share(fail_above)
    from pipeline.compare import compare as compared
    from pipeline.compare import fails
    from pipeline.comparison_table import comparison_rows
    from pipeline.result_files import read_results
    from pipeline.rows import rich_table

    files = read_results(old), read_results(new)
    found = compared(*files, margin, None if engine == "all" else engine)
    rows = comparison_rows(found)
    if as_json:
        print_json([dict(zip(rows.headings, cells, strict=True)) for cells in rows.cells])
    else:
        output.print(rich_table(rows))
    if fails(found):
        raise typer.Exit(1)
