"""The other side of a `Child`: answers lines of JSON until nobody asks any more."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from math import ceil
from typing import IO, Any

Command = Callable[[dict[str, Any]], dict[str, Any]]


def serve(commands: Mapping[str, Command]) -> None:
    """Answer until standard input ends.

    An answer says how many seconds it `took`. A `deadline` in a request ends this process a second
    later than the side that asks would: if that is gone, nobody else ends a kernel that does not.
    """
    replies = _take_stdout()
    for line in sys.stdin:
        request = json.loads(line)
        signal.alarm(ceil(request["deadline"]) + 1 if "deadline" in request else 0)
        try:
            command = {"hello": lambda _: {}, **commands}[request["command"]]
            begun = time.monotonic()
            reply = command(request) | {"took": time.monotonic() - begun}
        except Exception as error:  # noqa: BLE001 - every fault of a candidate is its result
            lines = [line for line in str(error).strip().splitlines() if line.strip()]
            reply = {"error": _telling(lines) or type(error).__name__}
        signal.alarm(0)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def _telling(lines: list[str]) -> str:
    """The line that says what went wrong: that which names an error, else the first."""
    named = [line.strip() for line in lines if "Error" in line.partition(":")[0]]
    return named[-1] if named and lines[0].startswith("Traceback") else "".join(lines[:1]).strip()


def _take_stdout() -> IO[str]:
    """Keep what libraries print away from the replies."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return replies
