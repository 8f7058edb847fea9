"""A process of ours that lives on and answers one line of JSON with another.

It is started when it is first asked something, and again after it has ended. What it runs may crash
it or never end, so every question has a deadline, after which it is killed.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.engines.pipe import JsonPipe
from pipeline.engines.process import python_command

# Importing TVM takes seconds, on a busy machine many.
START_SECONDS = 120.0
# How code ends its own process; any other end is the work of somebody else.
CRASHES = {
    signal.SIGSEGV, signal.SIGILL, signal.SIGFPE, signal.SIGBUS, signal.SIGABRT, signal.SIGTRAP,
}  # fmt: skip


class ChildError(Exception):
    """The process answered that it could not, and why."""


class ChildHungError(Exception):
    """No answer within the deadline; the process was killed."""


class ChildDiedError(Exception):
    """The process ended; `crashed` if by a fault of what it ran."""

    def __init__(self, status: int) -> None:
        by_signal = signal.Signals(-status) if status < 0 else None
        super().__init__(f"ended by {by_signal.name}" if by_signal else f"exit status {status}")
        self.crashed = by_signal in CRASHES


class Child:
    """Runs a module with some environment variables set; `close` is for good."""

    def __init__(self, module: str, settings: dict[str, str]) -> None:
        self.module, self.settings = module, settings
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    @property
    def running(self) -> bool:
        """Whether there is a process that holds what it was told."""
        return self._process is not None and self._process.poll() is None

    def ask(self, command: str, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        """The answer; one of the errors above otherwise."""
        if not self.running:
            self._start()
        return self._ask(command, request, deadline)

    def stop(self) -> None:
        """End the process."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        self._process = None

    def close(self) -> None:
        """End the process, and start no other; threads that wait for an answer get an error."""
        self._closed = True
        if self._process is not None:
            self._process.kill()

    def _start(self) -> None:
        self.stop()
        if self._closed:
            raise ChildDiedError(0)
        self._process = subprocess.Popen(
            python_command(Path(sys.executable), self.module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | self.settings,
            # Ctrl-C and a resized window are for this process, which ends the other.
            process_group=0,
        )
        self._pipe = JsonPipe(self._process)
        self._ask("hello", {}, START_SECONDS)

    def _ask(self, command: str, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        try:
            asked = {"command": command, "deadline": deadline} | request
            answer = self._pipe.ask(asked, deadline)
        except TimeoutError as error:
            self.stop()
            raise ChildHungError(f"no end within {deadline:g} s") from error
        except (EOFError, OSError) as error:
            raise ChildDiedError(self._process.wait() if self._process else 0) from error
        if "error" in answer:
            raise ChildError(answer["error"])
        return answer
