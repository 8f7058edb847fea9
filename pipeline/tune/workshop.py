"""Builds candidates in processes that live on, while others are measured."""

import errno
import os
import pickle
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from pipeline.errors import WorkFailedError
from pipeline.tile_fields import TileFields
from pipeline.tune.child import Child, ChildDiedError, ChildError, ChildHungError
from pipeline.tune.space import Subject

# A tenth of a second is normal; a machine that others use may take some.
BUILD_SECONDS = 60.0
NO_ROOM = os.strerror(errno.ENOSPC)


class BuildError(Exception):
    """A candidate could not be built; the message says why."""


@dataclass(frozen=True)
class Library:
    """What was built: where it is, what program it is of, how long it took."""

    path: Path
    program: str
    seconds: float


@dataclass(frozen=True)
class Reference:
    """What candidates are compared with, which may be a library, and the arguments of each seed."""

    path: Path
    inputs: tuple[Path, ...]


class Workshop:
    """So many builders, and the folder they build into. `close` ends them."""

    def __init__(self, folder: Path, builders: int, module: str = "pipeline.tune.builder") -> None:
        self.folder = folder
        self._children = [Child(module, {}) for _ in range(builders)]
        self._free: queue.Queue[Child] = queue.Queue()
        for child in self._children:
            self._free.put(child)
        self._executor = ThreadPoolExecutor(builders, thread_name_prefix="builder")
        self._names = count(1)
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the builders."""
        for child in self._children:
            child.close()
        self._executor.shutdown(cancel_futures=True)
        for child in self._children:
            child.stop()

    def subject(self, subject: Subject, name: str) -> str:
        """Write a subject where the builders find it."""
        path = self.folder / f"{name}.pickle"
        path.write_bytes(pickle.dumps(subject))
        return str(path)

    def build(self, subject: str, tile: TileFields) -> Future[Library]:
        """The library of a candidate; BuildError is the future's exception if there is none."""
        return self._executor.submit(self._build, subject, tile)

    def reference(self, subject: str, seeds: tuple[int, ...]) -> Future[Reference]:
        """What candidates are compared with for arguments of these seeds."""
        return self._executor.submit(self._reference, subject, seeds)

    def program(self, subject: str, tile: TileFields) -> str | None:
        """The name of what would be compiled; None if the schedules cannot make it."""
        try:
            return str(self._ask("program", {"subject": subject, "tile": tile})["program"])
        except BuildError:
            return None

    def trace(self, subject: str, tile: TileFields) -> str:
        """How a candidate is scheduled."""
        try:
            return str(self._ask("trace", {"subject": subject, "tile": tile})["trace"])
        except BuildError as error:
            return f"no trace: {error}"

    def _build(self, subject: str, tile: TileFields) -> Library:
        # A file stays to the end: the other side unloads none, and one that took its name or its
        # place on the disk would count as loaded.
        path = self.folder / f"library{next(self._names)}.so"
        answer = self._ask("build", {"subject": subject, "tile": tile, "library": str(path)})
        return Library(path, answer["program"], answer["took"])

    def _reference(self, subject: str, seeds: tuple[int, ...]) -> Reference:
        name = Path(subject).stem
        inputs = tuple(self.folder / f"{name}-{seed}.npz" for seed in seeds)
        path = self.folder / f"reference-{name}.so"
        pairs = [(str(at), seed) for at, seed in zip(inputs, seeds, strict=True)]
        self._ask("reference", {"subject": subject, "library": str(path), "inputs": pairs})
        return Reference(path, inputs)

    def _ask(self, command: str, request: dict[str, Any]) -> dict[str, Any]:
        """The answer of a builder; one that something else has killed is asked again."""
        with self._builder() as child:
            for last in (False, True):
                try:
                    return child.ask(command, request, BUILD_SECONDS)
                except ChildDiedError as error:
                    if error.crashed or last:
                        raise BuildError(f"could not be built: the compiler was {error}") from error
                except (ChildError, ChildHungError) as error:
                    if NO_ROOM in str(error):
                        raise WorkFailedError(
                            f"{self.folder}: {error}; make room there, then run the same command"
                            " again"
                        ) from error
                    raise BuildError(f"could not be built: {error}") from error
        raise AssertionError

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nothing is built within."""
        with self._lock:
            taken = [self._free.get() for _ in self._children]
            try:
                yield
            finally:
                for child in taken:
                    self._free.put(child)

    @contextmanager
    def _builder(self) -> Iterator[Child]:
        child = self._free.get()
        try:
            yield child
        finally:
            self._free.put(child)
