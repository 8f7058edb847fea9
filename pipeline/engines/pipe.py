"""Lines of JSON to and from a process, each reply with a deadline."""

import json
import select
import subprocess
import time
from typing import Any

from pipeline.errors import WorkFailedError

CHUNK = 1 << 16


class EngineError(WorkFailedError):
    """An engine died, hung or refused; the message is one line."""


class JsonPipe:
    """Speaks to a process started with unbuffered pipes for its standard input and output."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self._pending = b""

    def ask(self, request: dict[str, Any], deadline: float) -> dict[str, Any]:
        """The reply; TimeoutError after `deadline` seconds, EOFError when the process is gone."""
        try:
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError as error:
            raise EOFError from error
        reply: dict[str, Any] = json.loads(self._line(time.monotonic() + deadline))
        return reply

    def _line(self, end: float) -> bytes:
        while b"\n" not in self._pending:
            left = end - time.monotonic()
            ready, _, _ = select.select([self._stdout], [], [], max(left, 0))
            if not ready:
                raise TimeoutError
            chunk = self._stdout.read(CHUNK)
            if not chunk:
                raise EOFError
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line
