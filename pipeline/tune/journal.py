"""The journal of tuning: every task, candidate, measurement and failure, as it happens.

`<family>.journal.sqlite` is one file for each family of targets. What was measured under other
conditions (another CPU, compiler or machine record) stays in it and is never used. The records that
builds read are exported from it.
"""

import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pipeline.errors import RequestError
from pipeline.records import canonical
from pipeline.tile_fields import TileFields
from pipeline.tune.conditions import fingerprint
from pipeline.tune.entries import Candidate, Final, Origin, Trial
from pipeline.tune.sealed import Row, SealedFile

SCHEMA = 1
SUFFIX = ".journal.sqlite"
log = logging.getLogger(__name__)
# How old what another shell sees may be.
TELL_SECONDS = 1.0
TABLES = {
    "about": "name TEXT PRIMARY KEY, value TEXT",
    "conditions": "fingerprint TEXT PRIMARY KEY, described TEXT",
    "tasks": "task TEXT PRIMARY KEY, kind TEXT, name TEXT, workload TEXT, seeds TEXT",
    "candidates": "number INTEGER PRIMARY KEY, round INTEGER, conditions TEXT, task TEXT,"
    " tile TEXT, origin TEXT, retired INTEGER",
    "results": "number INTEGER PRIMARY KEY, seconds REAL, failure TEXT, program TEXT, trace TEXT,"
    " device TEXT, build_seconds REAL, measure_seconds REAL, wait_seconds REAL, at REAL,"
    " run_seconds REAL, schedules TEXT",
    "finals": "conditions TEXT, task TEXT, trials INTEGER, tile TEXT, seconds REAL,"
    " hand_seconds REAL, at REAL, run_seconds REAL, PRIMARY KEY (conditions, task)",
    "imports": "workload TEXT, tile TEXT, seconds REAL, source TEXT, at REAL,"
    " PRIMARY KEY (workload, tile)",
    "runs": "number INTEGER PRIMARY KEY, pid INTEGER, request TEXT, begun REAL, told REAL,"
    " ended REAL, state TEXT",
}


@dataclass(frozen=True)
class TaskEntry:
    """A task as the journal knows it; its search begins with the `seeds`."""

    task: str
    kind: str
    name: str
    workload: dict[str, Any]
    seeds: list[tuple[TileFields, Origin]]


@dataclass(frozen=True)
class Imported:
    """A tile for a workload (as canonical text), and its time on another device."""

    workload: str
    tile: TileFields
    seconds: float


class Journal:
    """The journal of a family in a folder, under the conditions of this run, if there is one.

    Use as a context manager. Only the holder of the family's lock may ask for `writing`.
    RequestError if the file is of something else or damaged beyond repair, WorkFailedError if it
    cannot be written.
    """

    def __init__(
        self, folder: Path, family: str, about: dict[str, Any] | None = None, writing: bool = True
    ) -> None:
        self.path, self.family = journal_path(folder, family), family
        self.about = about or {}
        self.conditions = fingerprint(about) if about else ""
        existed = self.path.exists()
        self.file = SealedFile(self.path, TABLES, writing)
        known = dict((str(name), value) for name, value in self.file.rows("about"))
        wanted = {"schema": str(SCHEMA), "family": family}
        if not known and writing:
            if existed:
                log.warning("%s is empty; it begins anew", self.path)
            with self.file.change():
                for name, value in wanted.items():
                    self.file.put("about", (name, value))
        elif known != wanted:
            self.file.close()
            raise RequestError(
                f"{self.path} is for {known.get('family')}, schema {known.get('schema')}, not for"
                f" {family}; move it away and tune again"
            )
        if writing and about:
            with self.file.change():
                self.file.put("conditions", (self.conditions, canonical(about)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add_tasks(self, entries: Sequence[TaskEntry]) -> None:
        """Write down what tasks are."""
        with self.file.change():
            for one in entries:
                seeds = json.dumps(one.seeds)
                row = (one.task, one.kind, one.name, canonical(one.workload), seeds)
                self.file.put("tasks", row)

    def tasks(self) -> list[TaskEntry]:
        """Every task that any candidate belongs to."""
        return [
            TaskEntry(
                str(task),
                str(kind),
                str(name),
                json.loads(str(workload)),
                [(tile, origin) for tile, origin in json.loads(str(seeds))],
            )
            for task, kind, name, workload, seeds in self.file.rows("tasks")
        ]

    def propose(
        self, proposals: Sequence[tuple[str, TileFields, Origin]], number: int, round_number: int
    ) -> list[Candidate]:
        """Write a round down, all or none of it, before anything is built.

        Proposals name their task; the candidates count on from `number`.
        """
        candidates = [
            Candidate(number + index, round_number, task, tile, origin)
            for index, (task, tile, origin) in enumerate(proposals)
        ]
        with self.file.change():
            for one in candidates:
                tile, about = canonical(one.tile), self.conditions
                row = (one.number, one.round, about, one.task, tile, one.origin, 0)
                self.file.put("candidates", row)
        return candidates

    def add(self, trial: Trial, run_seconds: float, schedules: str) -> None:
        """Write down what became of a candidate, `run_seconds` after the entry before it."""
        out = trial.outcome
        row: Row = (
            trial.candidate.number, out.seconds, out.failure, out.program, out.trace, out.device,
            out.build_seconds, out.measure_seconds, out.wait_seconds, time.time(), run_seconds,
            schedules,
        )  # fmt: skip
        with self.file.change():
            self.file.put("results", row)

    def finish(self, final: Final, run_seconds: float) -> None:
        """Write down what a task came to."""
        row: Row = (
            self.conditions, final.task, final.trials, canonical(final.tile), final.seconds,
            final.hand_seconds, time.time(), run_seconds,
        )  # fmt: skip
        with self.file.change():
            self.file.put("finals", row)

    def begin_run(self, request: str) -> "RunEntry":
        """Write down that a run begins."""
        runs = self.file.rows("runs")
        number = max((int(row[0] or 0) for row in runs), default=0) + 1
        return RunEntry(self, number, request, time.time())

    def retire(self, candidate: Candidate) -> None:
        """Let a candidate count no more, as its program is another by now."""
        row = (
            candidate.number, candidate.round, self.conditions, candidate.task,
            canonical(candidate.tile), candidate.origin, 1,
        )  # fmt: skip
        with self.file.change():
            self.file.put("candidates", row)
            own = (self.conditions, candidate.task)
            self.file.delete("finals", "conditions = ? AND task = ?", own)

    def restamp(self, number: int, schedules: str) -> None:
        """Note that a result is true for these schedules too."""
        ((*row, _),) = self.file.rows("results", "number = ?", (number,))
        with self.file.change():
            self.file.put("results", (*row, schedules))

    def import_tiles(self, tiles: list[Imported], source: str) -> int:
        """Write down what others found, as candidates to begin with; how many."""
        with self.file.change():
            for one in tiles:
                row = (one.workload, canonical(one.tile), one.seconds, source, time.time())
                self.file.put("imports", row)
        return len(tiles)

    def imported(self) -> dict[str, list[TileFields]]:
        """What others found, fastest first, by workload."""
        tiles: dict[str, list[TileFields]] = {}
        rows = self.file.rows("imports")
        for workload, tile, *_ in sorted(rows, key=lambda row: float(row[2] or 0)):
            tiles.setdefault(str(workload), []).append(json.loads(str(tile)))
        return tiles


class RunEntry:
    """The line of a run, from which another shell sees how far it is."""

    def __init__(self, journal: Journal, number: int, request: str, begun: float) -> None:
        self.journal, self.number, self.request, self.begun = journal, number, request, begun
        self._told = 0.0

    def tell(self, state: dict[str, Any], end: bool = False) -> None:
        """Write the state down, unless that was done a moment ago."""
        now = time.time()
        if now - self._told < TELL_SECONDS and not end:
            return
        self._told = now
        row: Row = (
            self.number, os.getpid(), self.request, self.begun, now, now if end else None,
            json.dumps(state),
        )  # fmt: skip
        with self.journal.file.change():
            self.journal.file.put("runs", row)


def journal_path(folder: Path, family: str) -> Path:
    """The journal of a family."""
    return folder / f"{family}{SUFFIX}"
