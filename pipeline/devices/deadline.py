"""Work that ends when its time is over, whatever hangs."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from pipeline.errors import RequestError, WorkFailedError

Result = TypeVar("Result")
GRACE_SECONDS = 5.0


def within(seconds: float, what: str, function: Callable[..., Result], *arguments: Any) -> Result:
    """The result of a function of some module, called in a process that is ended after its time.

    Its RequestError and WorkFailedError are raised here. WorkFailedError says that `what` did not
    end in time, or that the process died.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            raise WorkFailedError(f"{what} did not end within {seconds:.0f} s")
        outcome = ours.recv()
        # A device takes a connection that is cut for a crash: let the process close its own.
        process.join(GRACE_SECONDS)
    except EOFError as error:
        raise WorkFailedError(f"{what} failed: its process died") from error
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(outcome, RequestError | WorkFailedError):
        raise outcome
    result: Result = outcome
    return result


def _call(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        pipe.send(function(*arguments))
    except (RequestError, WorkFailedError) as error:
        pipe.send(error)
