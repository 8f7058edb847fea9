"""One run at a time writes the logs of a family."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import RequestError


@contextmanager
def only_run(logs: Path, family: str) -> Iterator[None]:
    """Keep every other run off the logs of the family; the system lets go of a killed run's."""
    logs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_path(logs, family))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RequestError(
            f"another run is tuning {family} in {logs}; wait for it, or name another folder by"
            " --logs; to see how far it is: shufflenet-tvm tune --status"
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_running(logs: Path, family: str) -> bool:
    """Whether a run holds the lock."""
    lock = FileLock(lock_path(logs, family))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def lock_path(logs: Path, family: str) -> Path:
    """The file that a run holds."""
    return logs / f"{family}.lock"
