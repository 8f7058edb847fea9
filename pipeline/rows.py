"""A table as text, and its forms: for the terminal, and as Markdown for a README."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

TEXT_COLUMNS = {
    "model",
    "input",
    "engine",
    "verdict",
    "result",
    "pair",
    "outcome",
    "module",
    "operators",
    "output",
    "bound by",
    "schedule",
    "step",
    "without it",
}


@dataclass(frozen=True)
class Rows:
    """A table as text, before it is given a form."""

    title: str
    headings: tuple[str, ...]
    cells: list[tuple[str, ...]]


def rich_table(rows: Rows) -> Table:
    """For the terminal."""
    table = Table(title=rows.title)
    for heading in rows.headings:
        table.add_column(heading, justify="left" if heading in TEXT_COLUMNS else "right")
    for cells in rows.cells:
        table.add_row(*cells)
    return table


def markdown_table(rows: Rows) -> str:
    """For a README."""
    rule = ["---" if heading in TEXT_COLUMNS else "---:" for heading in rows.headings]
    lines = [rows.headings, rule, *rows.cells]
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)


def size_text(size: Sequence[int]) -> str:
    """Height and width as people write them."""
    return "x".join(map(str, size))


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
