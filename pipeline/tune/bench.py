"""Builds candidates and measures them in one worker process, which is replaced when one kills it.

The compiler runs in this process, at a tenth of a second a candidate.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
import tvm
from tvm.tirx import PrimFunc

from pipeline.build import compiling
from pipeline.engines.pipe import JsonPipe
from pipeline.engines.process import python_command
from pipeline.errors import WorkFailedError
from pipeline.targets import Target
from pipeline.tune.arguments import arguments, output_shapes
from schedules.cpu.kernel import Kernel, program

# Importing TVM takes seconds, on a busy machine many.
START_SECONDS = 120.0
# The unscheduled kernel of the largest layer takes some seconds.
PREPARE_SECONDS = 600.0
# A candidate runs for some 50 ms, and for a few times its own length where that is more.
MEASURE_SECONDS = 20.0


class CandidateError(Exception):
    """A candidate could not be built, crashed, hung or was wrong; the message says which."""


class Bench:
    """Use as a context manager, which ends the worker; `open` a kernel, then take `seconds`."""

    def __init__(self, target: Target, seed: int) -> None:
        self.target, self.seed = target, seed
        self._folder = tempfile.TemporaryDirectory(prefix="shufflenet-tvm-tune-")
        self._process: subprocess.Popen[bytes] | None = None
        self._prepare: dict[str, Any] = {}
        self._built = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._folder.cleanup()

    def open(self, kernel: Kernel) -> None:
        """Turn to another kernel: its arguments, and what its unscheduled program makes of them."""
        for path in Path(self._folder.name).glob("*.npz"):
            path.unlink()
        inputs, expected = self._path("inputs.npz"), self._path("expected.npz")
        np.savez(inputs, *arguments(kernel, self.seed))
        self._prepare = {
            "inputs": str(inputs),
            "outputs": output_shapes(kernel),
            "reference": str(self.build(program(kernel))),
            "expected": str(expected),
        }
        try:
            self._ready(fresh=True)
        except CandidateError as error:
            raise WorkFailedError(f"the unscheduled kernel failed: {error}") from error

    def build(self, function: PrimFunc) -> Path:
        """A library of a function.

        It stays to the end, as the worker unloads none, and a file that took its name or place on
        the disk would count as loaded.
        """
        self._built += 1
        path = self._path(f"library{self._built}.so")
        export(function, self.target, path)
        return path

    def seconds(self, library: Path, threads: list[int]) -> list[float]:
        """Check a library and time it at each number of threads."""
        self._ready(fresh=False)
        request = {"library": str(library), "threads": threads, "deadline": MEASURE_SECONDS}
        seconds: list[float] = self._ask("measure", request, MEASURE_SECONDS)["seconds"]
        return seconds

    def _ready(self, fresh: bool) -> None:
        """Have a worker that holds the open kernel's arguments."""
        started = self._process is None or self._process.poll() is not None
        if started:
            self._start()
        if started or fresh:
            self._ask("prepare", self._prepare, PREPARE_SECONDS)

    def _start(self) -> None:
        self._stop()
        # The runtime without the compiler loads in less than half the time.
        cores = str(self.target.machine.cores)
        settings = {"TVM_NUM_THREADS": cores, "TVM_BIND_THREADS": "1", "TVM_USE_RUNTIME_LIB": "1"}
        self._process = subprocess.Popen(
            python_command(Path(sys.executable), "pipeline.tune.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | settings,
            # Ctrl-C is for this process, which ends the worker.
            process_group=0,
        )
        self._pipe = JsonPipe(self._process)
        self._ask("hello", {}, START_SECONDS)

    def _ask(self, command: str, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        try:
            reply = self._pipe.ask({"command": command} | request, deadline)
        except TimeoutError as error:
            self._stop()
            raise CandidateError(f"no end within {deadline:g} s") from error
        except EOFError as error:
            raise CandidateError(self._death()) from error
        if "error" in reply:
            raise CandidateError(reply["error"])
        return reply

    def _death(self) -> str:
        status = self._process.wait() if self._process else 0
        return f"ended by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        self._process = None

    def _path(self, name: str) -> Path:
        return Path(self._folder.name) / name


def export(function: PrimFunc, target: Target, path: Path) -> None:
    """Compile a function into a library."""
    with compiling():
        library = tvm.compile(function, target=target.tvm)
    library.export_library(str(path))
