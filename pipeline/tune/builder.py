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

from pipeline.compiling import export_function, export_unscheduled
from pipeline.targets import Target
from pipeline.tune.arguments import arguments
from pipeline.tune.serving import serve
from pipeline.tune.space import Space, Subject, space_of
from schedules.cpu.kernel_function import program

# The kernel that is being measured has the first claim on a core.
NICENESS = 5


def build(request: dict[str, Any]) -> dict[str, Any]:
    """Make the library of a candidate."""
    target, _, space = _known(request["subject"])
    function = space.function(request["tile"])
    export_function(function, target, Path(request["library"]))
    return {"program": _name(function)}


def reference(request: dict[str, Any]) -> dict[str, Any]:
    """Make the library of the unscheduled program, and its arguments of each seed."""
    target, subject, _ = _known(request["subject"])
    for path, seed in request["inputs"]:
        np.savez(path, *arguments(subject.kernel, seed))
    export_unscheduled(program(subject.kernel), target, Path(request["library"]))
    return {}


def program_of(request: dict[str, Any]) -> dict[str, Any]:
    """The name of what would be compiled."""
    return {"program": _name(_known(request["subject"])[2].function(request["tile"]))}


def trace(request: dict[str, Any]) -> dict[str, Any]:
    """How a candidate is scheduled."""
    return {"trace": _known(request["subject"])[2].trace(request["tile"])}


@cache
def _known(path: str) -> tuple[Target, Subject, Space]:
    target, subject = pickle.loads(Path(path).read_bytes())
    return target, subject, space_of(subject, target.machine)


def _name(function: Any) -> str:
    return f"{tvm_ffi.structural_hash(function):016x}"


COMMANDS = {"build": build, "reference": reference, "program": program_of, "trace": trace}

if __name__ == "__main__":
    os.nice(NICENESS)
    serve(COMMANDS)
