"""The process that builds: schedules a candidate, compiles it, links it. It needs no PyTorch.

    {"command": "build", "subject": "t.pickle", "tile": {...}, "library": "k.so"} -> {"program": ..}
    {"command": "reference", "subject": "t.pickle", "library": "r.so", "inputs": [["x.npz", 7]]}
    {"command": "program", "subject": "t.pickle", "tile": {...}}                  -> {"program": ..}
    {"command": "trace", "subject": "t.pickle", "tile": {...}}                    -> {"trace": ...}

Subjects are files of the process that asks, which wrote them a moment before.
"""

import os
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tvm_ffi

from pipeline.tune.serving import serve
from pipeline.tune.space import Space, Subject

# The kernel that is being measured has the first claim on a core.
NICENESS = 5


def build(request: dict[str, Any]) -> dict[str, Any]:
    """Make the library of a candidate."""
    subject, space = _known(request["subject"])
    function = space.function(request["tile"])
    subject.export(function, Path(request["library"]))
    return {"program": _name(function)}


def reference(request: dict[str, Any]) -> dict[str, Any]:
    """Make the arguments of each seed, and what candidates that get them are compared with."""
    subject, _ = _known(request["subject"])
    inputs = [(Path(path), seed) for path, seed in request["inputs"]]
    for path, seed in inputs:
        np.savez(path, *subject.arguments(seed))
    subject.reference(Path(request["library"]), inputs)
    return {}


def program_of(request: dict[str, Any]) -> dict[str, Any]:
    """The name of what would be compiled."""
    return {"program": _name(_known(request["subject"])[1].function(request["tile"]))}


def trace(request: dict[str, Any]) -> dict[str, Any]:
    """How a candidate is scheduled."""
    return {"trace": _known(request["subject"])[1].trace(request["tile"])}


@cache
def _known(path: str) -> tuple[Subject, Space]:
    subject: Subject = pickle.loads(Path(path).read_bytes())
    return subject, subject.space()


def _name(function: Any) -> str:
    return f"{tvm_ffi.structural_hash(function):016x}"


COMMANDS = {"build": build, "reference": reference, "program": program_of, "trace": trace}

if __name__ == "__main__":
    os.nice(NICENESS)
    serve(COMMANDS)
