"""One engine in a process of its own, as its user sees it.

An engine's thread pool goes on spinning after an inference and would take the cores from the next
engine, so the whole process is stopped outside its rounds.
"""

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np

import pipeline
from pipeline.engines.pipe import EngineError, JsonPipe
from pipeline.engines.registry import EngineKind
from pipeline.engines.worker import Array

ROOT = Path(pipeline.__file__).parent.parent
# Libraries of the peers come first, ours after them.
BOOT = """
import runpy, sys
_, module, paths, *rest = sys.argv
sys.path += paths.split(":")
sys.argv = [module, *rest]
runpy.run_module(module, None, "__main__")
"""
# Packages of ours that a process of the peers' Python needs.
SHARED_PACKAGES = ("numpy", "torch", "safetensors")
# What each library of threads looks at, besides what the worker files set.
THREAD_VARIABLES = ("TVM_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LAST_WORDS = 2000  # bytes of standard error that can explain a death


@dataclass(frozen=True)
class Deadlines:
    """Seconds until an engine is given up. torch.compile may take minutes to load."""

    load: float = 600.0
    infer: float = 120.0


@dataclass(frozen=True)
class Round:
    """The samples of one round, and CPU and wall time while they were taken; all in seconds."""

    samples: tuple[float, ...]
    cpu: float
    wall: float


class EngineProcess:
    """Starts stopped at nothing loaded; use as a context manager, which ends the process."""

    def __init__(
        self,
        kind: EngineKind,
        threads: int,
        python: Path = Path(sys.executable),
        deadlines: Deadlines = Deadlines(),
    ) -> None:
        self.kind, self.threads, self.deadlines = kind, threads, deadlines
        self._folder = tempfile.TemporaryDirectory(prefix="shufflenet-tvm-")
        self._process = self._start(python)
        self._pipe = JsonPipe(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def label(self) -> str:
        """Name and threads, for messages."""
        return f"{self.kind.name} with {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def pid(self) -> int:
        """The number of the process, which is that of its group too."""
        return self._process.pid

    def load(self, source: dict[str, Any], data: Array) -> dict[str, str]:
        """Load the model and take `data` as its input; gives the engine's settings."""
        request = {"source": source, "input": self._saved(data), "threads": self.threads}
        reply = self._ask("load", request, self.deadlines.load)
        settings: dict[str, str] = reply["settings"]
        return settings

    def output(self, data: Array) -> Array:
        """The output for another input."""
        path = str(Path(self._folder.name) / "output.npy")
        request = {"input": self._saved(data), "output": path}
        self._ask("output", request, self.deadlines.infer)
        result: Array = np.load(path)
        return result

    def run(self, count: int, settle: int = 0) -> Round:
        """Time `count` inferences after `settle` untimed ones."""
        deadline = self.deadlines.infer * (1 + (count + settle) / 10)
        reply = self._ask("run", {"count": count, "settle": settle}, deadline)
        return Round(tuple(reply["seconds"]), reply["cpu"], reply["wall"])

    def ceiling(self, count: int) -> tuple[float, ...]:
        """Seconds of each of so many loops of multiply-adds, of an engine on a device."""
        deadline = self.deadlines.infer * (1 + count / 10)
        return tuple(self._ask("ceiling", {"count": count}, deadline)["seconds"])

    def state(self) -> dict[str, Any]:
        """What the device of an engine is, its clock and its temperature now."""
        state: dict[str, Any] = self._ask("state", {}, self.deadlines.infer)["state"]
        return state

    def loadgen(self, seconds: float, queries: int) -> dict[str, Any]:
        """What MLPerf's load generator finds in its single-stream scenario."""
        request = {"folder": self._folder.name, "seconds": seconds, "queries": queries}
        deadline = seconds + self.deadlines.infer * (1 + queries / 10)
        return self._ask("loadgen", request, deadline)

    def stop(self) -> None:
        """Stop every thread, and return when they have stopped."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let the process go on."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """End the process and what it started."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        self._folder.cleanup()

    def _start(self, python: Path) -> subprocess.Popen[bytes]:
        threads = dict.fromkeys(THREAD_VARIABLES, str(self.threads))
        with (Path(self._folder.name) / "stderr").open("wb") as stderr:
            return subprocess.Popen(
                python_command(python, self.kind.worker),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=0,
                env=os.environ | threads | {"TVM_BIND_THREADS": "1"},
                # Of the same session: if this process is killed, the kernel wakes and ends a
                # stopped group.
                process_group=0,
            )

    def _ask(self, command: str, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        try:
            reply = self._pipe.ask({"command": command} | request, deadline)
        except TimeoutError as error:
            self.close()
            raise EngineError(
                f"{self.label}: no answer to {command} within {deadline:.0f} s"
            ) from error
        except EOFError as error:
            raise EngineError(f"{self.label}: {self._death()} during {command}") from error
        if "error" in reply:
            raise EngineError(f"{self.label}: {command} failed: {reply['error']}")
        return reply

    def _death(self) -> str:
        status = self._process.wait()
        how = f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}"
        words = (Path(self._folder.name) / "stderr").read_bytes()[-LAST_WORDS:]
        lines = words.decode(errors="replace").strip().splitlines()
        return f"{how} ({lines[-1]})" if lines else how

    def _saved(self, data: Array) -> str:
        path = Path(self._folder.name) / "input.npy"
        np.save(path, data)
        return str(path)


def python_command(python: Path, module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package in a Python that may not have it."""
    origins = [find_spec(name) for name in SHARED_PACKAGES]
    libraries = [Path(spec.origin).parent.parent for spec in origins if spec and spec.origin]
    paths = ":".join(dict.fromkeys(str(path) for path in (ROOT, *libraries)))
    return [str(python), "-P", "-c", BOOT, module, paths, *arguments]
