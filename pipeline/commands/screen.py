"""Where commands print: results on stdout, progress on stderr."""

import json
import sys
from typing import Any

from rich.console import Console

# A table that is folded to the width that a pipe is taken to have cannot be read.
PIPE_WIDTH = 200
output = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
progress = Console(stderr=True)


def print_json(value: object) -> None:
    """For a program."""
    print(json.dumps(value, indent=1))


def print_rows(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows of the same keys as a table, or as JSON."""
    from pipeline.tables import table_of

    if as_json:
        print_json(rows)
    elif not rows:
        output.print("none")
    else:
        output.print(table_of(rows))
