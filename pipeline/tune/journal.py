"""The journal of tuning: every measured candidate, so that a run goes on where another stopped.

`<family>.journal.jsonl` holds a header, and then one line for each candidate and for each finished
task. A line ends in a checksum and is on the disk before the next candidate is measured.

    {"schema": 1, "family": ..., "tvm": ..., "cpu": ..., "schedules": "5d0c...", "check": ...}
    {"task": "51ab...", "tile": {"columns": 6, ...}, "seconds": 8.1e-5, "failure": null, ...}
    {"task": "51ab...", "trials": 64, "tile": {...}, "seconds": ..., "hand_seconds": ...}
"""

import hashlib
import logging
import os
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import schedules
from pipeline.errors import RequestError
from pipeline.records import seal, unseal

SCHEMA = 1
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trial:
    """A measured candidate; `failure` says why there are no seconds."""

    task: str
    tile: dict[str, Any]
    seconds: float | None
    failure: str | None
    seed: int


@dataclass(frozen=True)
class Final:
    """What a finished task came to after so many trials; no `hand_seconds` if that tile failed."""

    task: str
    trials: int
    tile: dict[str, Any]
    seconds: float
    hand_seconds: float | None


class Journal:
    """The journal of a family in a folder; `about` names what its times are true for."""

    def __init__(self, folder: Path, family: str, about: dict[str, str]) -> None:
        self.path = folder / f"{family}.journal.jsonl"
        self.trials: dict[str, list[Trial]] = defaultdict(list)
        self.finals: dict[str, Final] = {}
        header = {"schema": SCHEMA, "family": family, **about}
        folder.mkdir(parents=True, exist_ok=True)
        lines = self._read()
        if not lines:
            self._append(header)
        elif lines[0] != header:
            differing = ", ".join(k for k in header if lines[0].get(k) != header[k]) or "fields"
            raise RequestError(
                f"{self.path} was measured with other {differing}; move it away and tune again"
            )
        for line in lines[1:]:
            self._remember(Final(**line) if "trials" in line else Trial(**line))

    def add(self, entry: Trial | Final) -> None:
        """Write an entry down."""
        self._append(asdict(entry))
        self._remember(entry)

    def _remember(self, entry: Trial | Final) -> None:
        if isinstance(entry, Final):
            self.finals[entry.task] = entry
        else:
            self.trials[entry.task].append(entry)

    def _read(self) -> list[dict[str, Any]]:
        """All whole lines; what a crash left of a last one is cut off."""
        if not self.path.exists():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            log.warning("%s: the last line is torn and is dropped", self.path)
            os.truncate(self.path, len(whole))
        texts = whole.decode(errors="replace").splitlines()
        return [unseal(self.path, number, text) for number, text in enumerate(texts, start=1)]

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(seal(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def schedules_digest() -> str:
    """A name for the schedules as they are: times taken with others do not count."""
    folder = Path(schedules.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def task_key(*parts: str) -> str:
    """A short name for a task."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
