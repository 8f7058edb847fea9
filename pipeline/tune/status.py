"""How far the runs of a folder are, as another shell sees it."""

import json
import time
from pathlib import Path
from typing import Any

from pipeline.errors import RequestError
from pipeline.tune.journal import SUFFIX, TABLES
from pipeline.tune.lock import is_running
from pipeline.tune.sealed import SealedFile


def describe_runs(folder: Path) -> list[dict[str, Any]]:
    """The last run of each family; RequestError if none ever began."""
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    rows = [row for path in paths for row in _last_run(path)]
    if not rows:
        raise RequestError(f"no run has begun in {folder}; begin one: shufflenet-tvm tune MODEL")
    return rows


def _last_run(path: Path) -> list[dict[str, Any]]:
    family = path.name.removesuffix(SUFFIX)
    file = SealedFile(path, TABLES, writing=False)
    try:
        runs = file.rows("runs")
    finally:
        file.close()
    if not runs:
        return []
    _, pid, request, begun, told, ended, state = runs[-1]
    known = json.loads(str(state))
    running = is_running(path.parent, family)
    doing = "running" if running else ("ended" if ended else "was killed")
    seconds = float(known.get("seconds", 0.0))
    return [
        {
            "family": family,
            "run": f"{doing}, process {pid}" if running else doing,
            "request": request,
            "tasks": f"{known.get('finished', 0)} of {known.get('tasks', 0)}",
            "now": f"{known.get('kind', '')}: {known.get('trials', 0)} trials" if running else None,
            "measured": known.get("measured", 0),
            "failed": known.get("failed", 0),
            "building s": round(float(known.get("building", 0))),
            "measuring s": round(float(known.get("measuring", 0))),
            "waiting s": round(float(known.get("waiting", 0))),
            "searching s": round(float(known.get("searching", 0))),
            "all s": round(seconds),
            "told s ago": round(time.time() - float(told or begun or 0)),
        }
    ]
