"""What else the machine did while one process was timed, and how fast its clock ran."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Moment:
    """Seconds since some start: of the wall clock, of all CPUs' work, stolen, of two processes."""

    wall: float
    busy: float
    stolen: float
    own: float
    megahertz: float | None


@dataclass(frozen=True)
class Load:
    """Means over a time: `others` is how many cores worked for other processes, `stolen` how many
    the host of a virtual machine kept for itself."""

    seconds: float
    others: float
    stolen: float
    megahertz: float | None


def moment(pid: int) -> Moment:
    """Now; `pid` and this process are not counted among others."""
    times = psutil.cpu_times()
    kinds = ("user", "nice", "system", "irq", "softirq")
    own = [psutil.Process(process).cpu_times() for process in (pid, None)]
    frequency = psutil.cpu_freq()
    return Moment(
        wall=time.monotonic(),
        busy=sum(getattr(times, kind, 0.0) for kind in kinds),
        stolen=getattr(times, "steal", 0.0),
        own=sum(one.user + one.system for one in own),
        megahertz=frequency.current if frequency else None,
    )


def between(start: Moment, end: Moment) -> Load:
    """What was seen from one moment to the other."""
    seconds = max(end.wall - start.wall, 1e-9)
    others = (end.busy - start.busy) - (end.own - start.own)
    stolen = end.stolen - start.stolen
    return Load(seconds, max(others / seconds, 0.0), max(stolen / seconds, 0.0), end.megahertz)


def mean(loads: Sequence[Load]) -> Load:
    """Over several times; the clock is the slowest that was seen."""
    seconds = sum(load.seconds for load in loads)
    clocks = [load.megahertz for load in loads if load.megahertz]
    return Load(
        seconds,
        sum(load.others * load.seconds for load in loads) / seconds,
        sum(load.stolen * load.seconds for load in loads) / seconds,
        min(clocks) if clocks else None,
    )
