"""MetaSchedule as a peer: each model is tuned once, and what was found is kept in a cache folder.

A tuning that was interrupted goes on with what had been committed to its database by then.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipeline.engines.process import python_command
from pipeline.peers import PeerError

TUNER = "pipeline.engines.metaschedule"
RECORDS = "database_tuning_record.json"
# The time that is recorded of a candidate that failed.
FAILED_SECONDS = 1e9
# How often the progress is looked at: it takes some of the time of a candidate.
LOOK_SECONDS = 20.0


@dataclass(frozen=True)
class Tuned:
    """The folder of a database, how many candidates it has times of, and what they took."""

    folder: Path
    trials: int
    failed: int
    seconds: float


def tuned_source(
    source: dict[str, Any], cache: Path, trials: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    """`source`, with "target", and the database that at least `trials` candidates were tried for.

    PeerError if not one of the candidates could be measured.
    """
    folder = cache / "metaschedule" / _name(source)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        _mend(folder / RECORDS)
        left = trials - _read(folder).trials
        if left > 0:
            _tune({**source, "folder": str(folder)}, left, progress)
        found = _read(folder)
    if found.failed == found.trials:
        raise PeerError("MetaSchedule measured no candidate; its logs are in the folder logs")
    settings = {
        "trials": str(found.trials),
        "failed": str(found.failed),
        "tuning_seconds": f"{found.seconds:.0f}",
        "weights": "packed for the schedules",
    }
    return {**source, "database": str(folder), "settings": settings}


def _name(source: dict[str, Any]) -> str:
    """What a database is of; weights and their seed make no difference."""
    spec = source["spec"]
    size = f"{spec['height']}x{spec['width']}-{spec['batch']}x{spec['classes']}"
    return f"{source['model']}-{size}-{source['family']}-tvm{metadata.version('apache-tvm')}"


def _tune(source: dict[str, Any], trials: int, progress: Callable[[str], None]) -> None:
    folder = Path(source["folder"])
    command = python_command(Path(sys.executable), TUNER, json.dumps(source), str(trials))
    done = _read(folder).trials
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
        try:
            while not _ended(process):
                count = _read(folder).trials
                progress(f"tuning with MetaSchedule, once: {count} of {done + trials} trials")
        finally:
            process.terminate()
            process.wait()
    if process.returncode:
        words = (folder / "output").read_text(errors="replace").strip().splitlines() or ["no word"]
        raise PeerError(f"MetaSchedule failed: {words[-1]}; all it said is in {folder / 'output'}")


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has ended, or ends soon."""
    try:
        process.wait(LOOK_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _read(folder: Path) -> Tuned:
    """What a folder holds so far."""
    times = [_seconds(line) for line in _lines(folder / RECORDS)]
    log = folder / "seconds"
    failed = sum(time is None or time >= FAILED_SECONDS for time in times)
    return Tuned(folder, len(times), failed, float(log.read_text()) if log.exists() else 0.0)


def _mend(path: Path) -> None:
    """Leave out a last line that is torn: TVM could read none of the others."""
    lines = _lines(path)
    if lines and not _whole(lines[-1]):
        path.write_text("".join(f"{line}\n" for line in lines[:-1]))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _whole(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _seconds(line: str) -> float | None:
    """The time of a candidate: [workload, [trace, seconds, ...]]."""
    if not _whole(line):
        return None
    times = json.loads(line)[1][1]
    return float(times[0]) if times else None
