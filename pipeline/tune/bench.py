"""What builds and what measures, and that the one does not disturb the other."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.devices.address import LOCAL
from pipeline.tune.devices import Deadlines, Device, DevicePool
from pipeline.tune.kind import Kind
from pipeline.tune.workshop import Workshop

# A build takes about twice as long as a measurement, so one builder beside it would be too few.
FEW_CORES = 2


@dataclass(frozen=True)
class Equipment:
    """The modules that build and measure, how patient to be, and how many builders there are.

    Without `builders`, there are as many as keep up with the measuring.
    """

    builder: str = "pipeline.tune.builder"
    worker: str = "pipeline.tune.worker"
    deadlines: Deadlines = field(default_factory=Deadlines)
    builders: int | None = None


@dataclass(frozen=True)
class Bench:
    """Builders and devices. `free` are the cores of this machine on which nothing is built, unless
    kernels run `apart` from all of them. Whoever holds `attention` has the cores for itself."""

    workshop: Workshop
    pool: DevicePool
    free: int
    apart: bool
    attention: threading.Lock = field(default_factory=threading.Lock)

    def disturbed(self, threads: Sequence[int]) -> bool:
        """Whether what is built would take cores of a kernel of so many threads."""
        return not self.apart and max(threads) > self.free

    @contextmanager
    def alone(self, threads: Sequence[int]) -> Iterator[None]:
        """While kernels of so many threads run: nothing is built, and no candidates are sought, if
        that took their cores.

        Nothing is to be asked of the builders meanwhile.
        """
        if not self.disturbed(threads):
            yield
            return
        with self.attention, self.workshop.quiet():
            yield


@contextmanager
def equipped(
    kind: Kind, devices: Sequence[str], folder: Path, equipment: Equipment
) -> Iterator[Bench]:
    """Builders and devices, which start when there is something to do and end with the context."""
    cores = len(os.sched_getaffinity(0))
    apart = not kind.on_cores or LOCAL not in devices
    # On few cores it is faster to build on all of them, and to stop while something is measured.
    spared = 0 if apart or cores <= FEW_CORES else 1
    builders = equipment.builders or cores - spared
    workshop = Workshop(folder, builders, equipment.builder)
    pool = DevicePool(
        [Device(address, kind, equipment.deadlines, equipment.worker) for address in devices]
    )
    try:
        yield Bench(workshop, pool, spared, apart)
    finally:
        pool.close()
        workshop.close()
