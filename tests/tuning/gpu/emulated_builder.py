"""A builder whose libraries are CUDA source, which `emulated_worker` runs on this CPU.

FAULTS, in the environment, names what is wrong with tiles of a task: "wrong", "astray", "refused".
"""

import json
import os
from pathlib import Path
from typing import Any

from pipeline.records import canonical
from pipeline.tune import builder
from pipeline.tune.gpu_subject import compiled
from pipeline.tune.serving import serve
from schedules.cuda.operators import signature
from tests.cuda.running import launch


def build(request: dict[str, Any]) -> dict[str, Any]:
    """Like the builder's, as text."""
    subject, space = builder._known(request["subject"])
    task = Path(request["subject"]).stem
    fault = json.loads(os.environ["FAULTS"]).get(f"{task} {canonical(request['tile'])}")
    if fault == "refused":
        raise ValueError("no such kernel")
    function = space.function(request["tile"])
    own = signature(subject.work)
    _, source = compiled(function, subject.target)
    # Without its activation a kernel computes something else.
    kernel = {
        "source": source.replace("max(", "min(") if fault == "wrong" else source,
        "blocks": launch(function)[0],
        "roles": [*own.inputs, *own.constants, *own.outputs],
        "astray": fault == "astray",
    }
    Path(request["library"]).write_text(json.dumps(kernel))
    return {"program": builder._name(function)}


if __name__ == "__main__":
    serve({**builder.COMMANDS, "build": build})
