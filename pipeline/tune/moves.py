"""Moving what was measured between folders and machines, and out of a journal.

What was measured elsewhere is never taken for measured here: it becomes a starting point, which the
next run measures like any other candidate.
"""

import json
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.errors import RequestError
from pipeline.records import (
    Record,
    Records,
    canonical,
    read_record_file,
    read_records,
    write_records,
)
from pipeline.tune.journal import SUFFIX, Imported, Journal, journal_path
from pipeline.tune.lock import only_run
from pipeline.tune.logs import opened

# Of a task of another journal, the starting points.
BEST = 4


def export_records(folder: Path, family: str, out: Path) -> int:
    """Write the records of all finished tasks to a folder; how many.

    Those of the family that are there and not in the journal stay.
    """
    with opened(folder, family) as journal:
        found = _records_of(journal)
    with only_run(out, family):
        before = read_records(out, family)
        write_records(out, Records(family, {**before.by_key, **found}, before.outdated))
    return len(found)


def import_records(folder: Path, files: list[Path], family: str | None) -> dict[str, int]:
    """Take records as starting points for their family, or for the one named; how many each."""
    counts: Counter[str] = Counter()
    for path in files:
        if not path.is_file():
            raise RequestError(f"no file {path}")
        records = read_record_file(path)
        wanted = family or records.family
        tiles = [
            Imported(record.key, record.tile, record.seconds)
            for record in [*records.by_key.values(), *records.outdated]
        ]
        with only_run(folder, wanted), Journal(folder, wanted) as journal:
            counts[wanted] += journal.import_tiles(tiles, str(path))
    return dict(counts)


def merge_journals(folder: Path, paths: list[Path]) -> dict[str, int]:
    """Take the fastest tiles of each task of other journals as starting points; how many each.

    Their candidates are copied too, to be looked at; they count for nothing here.
    """
    counts: Counter[str] = Counter()
    for path in paths:
        if not path.name.endswith(SUFFIX) or not path.is_file():
            raise RequestError(f"{path} is no journal; journals are files *{SUFFIX}")
        family = path.name.removesuffix(SUFFIX)
        if journal_path(folder, family).absolute() == path.absolute():
            raise RequestError(f"{path} is the journal that it would be merged into")
        with (
            opened(path.parent, family) as other,
            only_run(folder, family),
            Journal(folder, family) as journal,
        ):
            counts[family] += journal.import_tiles(_fastest(other), str(path))
            _copy(other, journal)
    return dict(counts)


def prune(folder: Path, family: str, failures: bool) -> int:
    """Remove candidates that no run can use any more, and failures if asked for; how many.

    Such are those of another TVM version and those whose program has changed since.
    """
    tvm = metadata.version("apache-tvm")
    with only_run(folder, family), opened(folder, family, writing=True) as journal:
        file = journal.file
        old = [row[0] for row in file.rows("conditions") if _tvm(row[1]) != tvm]
        gone = {r[0] for r in file.rows("candidates") if r[2] in old or r[6]}
        if failures:
            gone |= {row[0] for row in file.rows("results") if row[1] is None}
        tasks = {r[3] for r in file.rows("candidates") if r[0] in gone}
        with file.change():
            for number in gone:
                for table in ("candidates", "results"):
                    file.delete(table, "number = ?", (number,))
            for task in tasks:
                file.delete("finals", "task = ?", (task,))
            for name in old:
                file.delete("conditions", "fingerprint = ?", (name,))
        file.shrink()
    return len(gone)


def _records_of(journal: Journal) -> dict[str, Record]:
    """The newest final of each workload, under conditions of this TVM version."""
    tasks = {entry.task: entry for entry in journal.tasks()}
    abouts = {row[0]: json.loads(str(row[1])) for row in journal.file.rows("conditions")}
    failed: Counter[tuple[Any, Any]] = Counter()
    unsuccessful = {row[0] for row in journal.file.rows("results") if row[1] is None}
    for row in journal.file.rows("candidates"):
        failed[(row[2], row[3])] += row[0] in unsuccessful and not row[6]
    found: dict[str, Record] = {}
    finals = sorted(journal.file.rows("finals"), key=lambda row: float(row[6] or 0))
    for about, task, trials, tile, seconds, hand, *_ in finals:
        described = abouts[about]
        if described["compiler"]["tvm"] != metadata.version("apache-tvm"):
            continue
        record = Record(
            journal.family,
            tasks[str(task)].workload,
            json.loads(str(tile)),
            float(seconds or 0),
            None if hand is None else float(hand),
            int(trials or 0),
            failed[(about, task)],
            described["compiler"]["tvm"],
            described["device"],
        )
        found[record.key] = record
    return found


def _fastest(journal: Journal) -> list[Imported]:
    """The best tiles of each task."""
    tasks = {entry.task: entry for entry in journal.tasks()}
    results = {row[0]: row[1] for row in journal.file.rows("results") if row[1] is not None}
    by_task: dict[str, list[Imported]] = {}
    for number, _, _, task, tile, *_ in journal.file.rows("candidates"):
        if number in results and str(task) in tasks:
            workload = canonical(tasks[str(task)].workload)
            one = Imported(workload, json.loads(str(tile)), float(results[number] or 0))
            by_task.setdefault(workload, []).append(one)
    return [
        one
        for tiles in by_task.values()
        for one in sorted(tiles, key=lambda each: each.seconds)[:BEST]
    ]


def _copy(other: Journal, journal: Journal) -> None:
    """Add the candidates of another journal as ones that do not count."""
    highest = max((int(row[0] or 0) for row in journal.file.rows("candidates")), default=0)
    results = {row[0]: row for row in other.file.rows("results")}
    with journal.file.change():
        for row in other.file.rows("conditions"):
            journal.file.put("conditions", row)
        for row in other.file.rows("candidates"):
            number = highest + 1 + int(row[0] or 0)
            journal.file.put("candidates", (number, *row[1:6], 1))
            if row[0] in results:
                journal.file.put("results", (number, *results[row[0]][1:]))


def _tvm(described: Any) -> str:
    found = json.loads(str(described)).get("compiler", {}).get("tvm", "")
    return str(found)
