"""Columns that say the same in every row are said once, above the table: a phone is narrow."""

from collections.abc import Sequence

from pipeline.rows import Rows


def without_common_columns(rows: Rows) -> tuple[Rows, str]:
    """The table without such columns, but for the first, and what they say."""
    columns = list(zip(*rows.cells, strict=True))
    common = [at for at, cells in enumerate(columns) if at > 0 and _is_common(cells)]
    kept = [at for at in range(len(rows.headings)) if at not in common]
    said = ", ".join(f"{rows.headings[at]} {columns[at][0]}" for at in common if columns[at][0])

    def of(cells: Sequence[str]) -> tuple[str, ...]:
        return tuple(cells[at] for at in kept)

    return Rows(rows.title, of(rows.headings), [of(cells) for cells in rows.cells]), said


def _is_common(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and len(set(cells)) == 1
