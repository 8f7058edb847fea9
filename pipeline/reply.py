"""A module that gets a request as JSON and leaves a reply, run as a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.engines.process import python_command
from pipeline.errors import WorkFailedError

# Beyond the time that is asked for: loading, and whatever else there is to do.
SPARE_SECONDS = 300


def reply_of(
    worker: str, request: Mapping[str, Any], folder: Path, environment: Mapping[str, str]
) -> dict[str, Any]:
    """What a worker makes of a request, which says for how many `seconds`, in time.

    Both are files in the folder. WorkFailedError if the process fails.
    """
    asked, reply = folder / "request.json", folder / "reply.json"
    asked.write_text(json.dumps(request))
    command = python_command(Path(sys.executable), worker, str(asked), str(reply))
    limit = request["seconds"] + SPARE_SECONDS
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=limit, env=environment
        )
    except subprocess.SubprocessError as error:
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise WorkFailedError(f"timing the kernels failed: {lines[-1]}") from error
    found: dict[str, Any] = json.loads(reply.read_text())
    return found
