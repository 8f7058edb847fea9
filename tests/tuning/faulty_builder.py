"""A builder of which some candidates are faulty: FAULTS names a fault by the place in the space."""

import dataclasses
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from pipeline.tune import builder
from pipeline.tune.cpu_subject import CpuSubject
from pipeline.tune.serving import serve
from pipeline.tune.stage_space import StageSpace

BODIES = {"crash": "__builtin_trap();", "endless": 'for (;;) __asm__ volatile("");'}


def build(request: dict[str, Any]) -> dict[str, Any]:
    """Like the builder's, with faults."""
    subject, space = builder._known(request["subject"])
    faults = json.loads(os.environ["FAULTS"])
    if not isinstance(space, StageSpace):
        return builder.build(request)
    fault = faults.get("all") or faults.get(str(space.tiles.index(request["tile"])))
    if fault is None:
        return builder.build(request)
    if fault == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "full":
        raise OSError(28, os.strerror(28))
    if fault == "refused":
        raise ValueError("no such schedule")
    path = Path(request["library"])
    if fault == "wrong":
        subject.export(_without_activation(subject, request), path)
    else:
        link(BODIES[fault], path)
    return {"program": fault}


def _without_activation(subject: CpuSubject, request: dict[str, Any]) -> Any:
    (stage,) = subject.kernel.stages
    bare = dataclasses.replace(stage, work=dataclasses.replace(stage.work, activation="none"))
    kernel = dataclasses.replace(subject.kernel, stages=(bare,))
    return CpuSubject(kernel, subject.target).space().function(request["tile"])


def link(body: str, path: Path) -> None:
    """A library whose kernel is a line of C."""
    source = path.with_suffix(".c")
    source.write_text(
        f"int __tvm_ffi_main(void* s, void* a, int n, void* r) {{ {body} return 0; }}"
    )
    subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(path)], check=True)


if __name__ == "__main__":
    serve({**builder.COMMANDS, "build": build})
