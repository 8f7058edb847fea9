"""What journals and records hold, for people."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import RequestError
from pipeline.records import read_records, record_families, records_path
from pipeline.tune.journal import SUFFIX, Journal, journal_path
from pipeline.tune.lock import is_running
from pipeline.tune.sealed import Row


def list_logs(folder: Path) -> list[dict[str, Any]]:
    """A row for each family; RequestError if there is none."""
    families = {path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")}
    rows = [_described(folder, family) for family in sorted(families | {*record_families(folder)})]
    if not rows:
        raise RequestError(f"no logs in {folder}; make some: shufflenet-tvm tune MODEL")
    return rows


def show_tasks(folder: Path, family: str) -> list[dict[str, Any]]:
    """A row for each task of a journal and the conditions it was measured under."""
    with opened(folder, family) as journal:
        names = {entry.task: entry for entry in journal.tasks()}
        results = {row[0]: row for row in journal.file.rows("results")}
        finals = {(row[0], row[1]): row for row in journal.file.rows("finals")}
        groups: dict[tuple[Any, Any], list[Row]] = {}
        for row in journal.file.rows("candidates"):
            groups.setdefault((row[2], row[3]), []).append(row)
    rows = []
    for (about, task), candidates in groups.items():
        measured = [results[row[0]] for row in candidates if row[0] in results]
        times = [float(row[1]) for row in measured if row[1] is not None]
        final = finals.get((about, task))
        rows.append(
            {
                "task": task,
                "kind": names[str(task)].kind if str(task) in names else None,
                "name": names[str(task)].name if str(task) in names else None,
                "conditions": about,
                "proposed": len(candidates),
                "measured": len(measured),
                "failed": len(measured) - len(times),
                "best us": round(min(times) * 1e6, 2) if times else None,
                "final": str(final[3]) if final else None,
            }
        )
    return rows


def show_candidates(folder: Path, family: str, task: str) -> list[dict[str, Any]]:
    """A row for each candidate of a task; RequestError if there is no such task."""
    with opened(folder, family) as journal:
        results = {row[0]: row for row in journal.file.rows("results")}
        candidates = journal.file.rows("candidates", "task LIKE ? || '%'", (task,))
    if not candidates:
        raise RequestError(f"no task {task!r}; list them: shufflenet-tvm logs show {family}")
    rows = []
    for number, turn, about, _, tile, origin, retired in candidates:
        result = results.get(number)
        seconds = result[1] if result else None
        rows.append(
            {
                "number": number,
                "round": turn,
                "tile": tile,
                "origin": origin,
                "us": None if seconds is None else round(float(seconds) * 1e6, 2),
                "failure": result[2] if result else "not measured yet",
                "device": result[5] if result else None,
                "at": _when(result[9]) if result else None,
                "counts": "no" if retired else "yes",
                "conditions": about,
                "trace": result[4] if result else None,
            }
        )
    return rows


def opened(folder: Path, family: str, writing: bool = False) -> Journal:
    """A journal that exists; RequestError names those that do."""
    if not journal_path(folder, family).is_file():
        there = [path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")]
        raise RequestError(
            f"no journal of {family!r} in {folder}; there: {', '.join(sorted(there)) or 'none'}"
        )
    return Journal(folder, family, None, writing)


def _described(folder: Path, family: str) -> dict[str, Any]:
    row: dict[str, Any] = {"family": family, "records": None, "outdated": None}
    if records_path(folder, family).exists():
        records = read_records(folder, family)
        row |= {"records": len(records.by_key), "outdated": len(records.outdated)}
    row |= dict.fromkeys(("tasks", "candidates", "failed", "imports", "journal kB"))
    if journal_path(folder, family).is_file():
        with opened(folder, family) as journal:
            results = journal.file.rows("results")
            row |= {
                "tasks": len(journal.tasks()),
                "candidates": len(results),
                "failed": sum(result[1] is None for result in results),
                "imports": len(journal.file.rows("imports")),
                "journal kB": journal.path.stat().st_size // 1024,
            }
    return row | {"running": "yes" if is_running(folder, family) else "no"}


def _when(at: Any) -> str:
    return datetime.fromtimestamp(float(at or 0), UTC).isoformat(sep=" ", timespec="seconds")
