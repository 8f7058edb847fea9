"""Converters of the peers: programs that turn an ONNX file into what a peer reads."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

CONVERT_SECONDS = 300
LAST_WORDS = 300  # characters of what a converter printed that can explain a failure


def convert(command: Sequence[str], made: Path) -> None:
    """Run a converter that is to write `made`, in the folder of `made`, in a process of its own.

    RuntimeError has the converter's last words. What a converter allocates and starts is gone when
    it ends, so that none of it is there while the engine is timed.
    """
    done = subprocess.run(
        command, cwd=made.parent, capture_output=True, text=True, timeout=CONVERT_SECONDS
    )
    if done.returncode or not made.is_file():
        words = " ".join((done.stderr or done.stdout).split())[-LAST_WORDS:]
        raise RuntimeError(f"not converted from ONNX: {words or 'no word why'}")
