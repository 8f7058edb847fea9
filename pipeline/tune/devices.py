"""The devices that measure: each has a process of its own, deadlines, and a limited patience.

A device that dies is tried again some times, and then left out; the others go on. A candidate that
was running when a device died is tried once more if the device comes back, and never again after
that.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path
from typing import Any

from pipeline.devices.address import LOCAL
from pipeline.errors import WorkFailedError
from pipeline.tune.child import Child, ChildDiedError, ChildError, ChildHungError
from pipeline.tune.kind import Kind
from pipeline.tune.space import Parameters, expected_path
from pipeline.tune.worker import mean

WORKER = "pipeline.tune.worker"


class CandidateError(Exception):
    """A candidate crashed, hung or was wrong; the message says which."""


class DeviceLostError(Exception):
    """The device does not answer any more; `blamed` if a candidate was running when it died."""

    blamed = False


@dataclass(frozen=True)
class Deadlines:
    """Seconds until something is given up.

    A session with a device over RPC lives no longer than `session`, so that an endless kernel ends
    there too; a lost device is tried again `tries` times, `pause` apart.
    """

    connect: float = 30.0
    session: int = 120
    upload: float = 60.0
    # The unscheduled kernel of the largest layer takes some seconds.
    prepare: float = 600.0
    # A candidate runs for some 50 ms, and for a few times its own length where that is more.
    run: float = 20.0
    tries: int = 5
    pause: float = 5.0


@dataclass(frozen=True)
class Job:
    """A kernel to measure candidates of; `name` tells it from others."""

    name: str
    inputs: tuple[Path, ...]
    parameters: Parameters
    reference: Path
    threads: tuple[int, ...]


@dataclass(frozen=True)
class Care:
    """How a library is timed and checked, by seconds that count as fast and slow.

    `repeats` times so many `milliseconds`, but only shortly if that shows it to be above
    `slow_above`. With the arguments of several seeds if it is below `thorough_below`, or that is
    None.
    """

    repeats: int
    milliseconds: int
    slow_above: float | None
    thorough_below: float | None


class Device:
    """One device and the process that speaks to it."""

    def __init__(self, address: str, kind: Kind, deadlines: Deadlines, module: str) -> None:
        self.address, self.processor, self.deadlines = address, kind.processor, deadlines
        self._child = Child(module, kind.settings)
        self._closing = threading.Event()
        self._job: str | None = None
        self._connected = -inf

    def close(self) -> None:
        """End the process, also while it is asked something."""
        self._closing.set()
        self._child.close()

    def stop(self) -> None:
        """Take leave of the process."""
        self._child.stop()

    def seconds(self, job: Job, library: Path, care: Care, extra: dict[str, Any]) -> float:
        """The checked time of a library, the mean over the job's numbers of threads.

        CandidateError if the library is at fault, DeviceLostError if the device is and does not
        come back.
        """
        request = {"threads": job.threads, **asdict(care), **extra}
        for last in (False, True):
            self._ready(job, blamed=last)
            try:
                self._child.ask("load", {"library": str(library)}, self.deadlines.upload)
                answer = self._child.ask("measure", request, self.deadlines.run)
                return mean(answer["seconds"])
            except ChildHungError as error:
                raise CandidateError(str(error)) from error
            except ChildError as error:
                # Here only what ran can have brought the device down with it.
                if self._answers() or self.address == LOCAL:
                    raise CandidateError(str(error)) from error
                died: Exception = error
            except ChildDiedError as error:
                if error.crashed:
                    raise CandidateError(str(error)) from error
                died = error
            if last:
                raise CandidateError(f"the device was lost twice while this ran: {died}") from died
        raise AssertionError

    def _ready(self, job: Job, blamed: bool) -> None:
        """Have a process that is connected and holds the arguments of the job."""
        for attempt in range(self.deadlines.tries):
            try:
                return self._prepare(job)
            except (ChildHungError, ChildDiedError, ChildError) as error:
                fault = error
                self._connected = -inf
            if attempt + 1 < self.deadlines.tries and self._closing.wait(self.deadlines.pause):
                break
        lost = DeviceLostError(f"{self.address}: {fault}")
        lost.blamed = blamed
        raise lost

    def _prepare(self, job: Job) -> None:
        age = time.monotonic() - self._connected
        longest = inf if self.address == LOCAL else self.deadlines.session / 2
        # Of a device that was lost the age is infinite, too.
        if not self._child.running or age > longest or age == inf:
            request = {
                "device": self.address,
                "processor": self.processor,
                "session": self.deadlines.session,
            }
            self._child.ask("connect", request, self.deadlines.connect)
            self._connected, self._job = time.monotonic(), None
        if self._job != job.name:
            request = {
                "inputs": [str(path) for path in job.inputs],
                **asdict(job.parameters),
                "reference": str(job.reference),
                "expected": [str(expected_path(path)) for path in job.inputs],
            }
            self._compute(request)
            self._job = job.name

    def _compute(self, request: dict[str, Any]) -> None:
        """Run the unscheduled kernel; here there is no device that could be lost."""
        try:
            self._child.ask("prepare", request, self.deadlines.prepare)
        except (ChildError, ChildDiedError) as error:
            if self.address == LOCAL and (isinstance(error, ChildError) or error.crashed):
                raise WorkFailedError(f"the unscheduled kernel failed: {error}") from error
            raise

    def _answers(self) -> bool:
        """Whether the device still does what it is told; a lost one has no process any more."""
        try:
            self._child.ask("ping", {}, self.deadlines.connect)
        except (ChildHungError, ChildDiedError, ChildError):
            self._connected = -inf
            if self.address == LOCAL:
                # A GPU serves no process in which a kernel went astray.
                self._child.stop()
            return False
        return True


class DevicePool:
    """The devices that are left; a job takes one that is free."""

    def __init__(self, devices: list[Device]) -> None:
        self._all = devices
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._free: queue.Queue[Device | None] = queue.Queue()
        self._left = len(devices)
        self._last: DeviceLostError | None = None
        for device in devices:
            self._free.put(device)

    @property
    def size(self) -> int:
        """How many devices there are, with those left out."""
        return len(self._all)

    def news(self) -> list[str]:
        """What happened to devices since this was last asked."""
        return [self._news.get() for _ in range(self._news.qsize())]

    def close(self) -> None:
        """End all, also while they measure."""
        for device in self._all:
            device.close()

    def run(self, work: Callable[[Device], float]) -> tuple[float, str]:
        """What comes of work on a free device, and the device; WorkFailedError if none is left."""
        while True:
            device = self._free.get()
            if device is None:
                self._free.put(None)
                raise WorkFailedError(
                    f"no device is left ({self._last}); what was measured is kept: run the same"
                    " command again when one is back"
                )
            try:
                seconds = work(device)
            except DeviceLostError as error:
                self._leave_out(device, error)
                if error.blamed:
                    raise CandidateError(f"killed the device, {error}") from error
                continue
            except BaseException:
                self._free.put(device)
                raise
            self._free.put(device)
            return seconds, device.address

    def _leave_out(self, device: Device, error: DeviceLostError) -> None:
        self._left -= 1
        self._last = error
        device.stop()
        self._news.put(f"left out: {error}")
        if not self._left:
            self._free.put(None)
