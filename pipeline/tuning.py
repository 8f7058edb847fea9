"""Tuning: the best tile of every operator, then of every whole kernel, as records.

    stages:   tiles of every distinct operator, measured alone with one thread
    kernels:  strips of every distinct kernel, and which of its stages' best tiles, with one
              thread and all
    networks: of each kernel's best tiles the one that takes the least time in the networks

A kernel for a GPU is tuned as a whole: its tile says all of it.

Every candidate goes to the journal before it is built and its result when it is measured, so that
an interrupted run loses nothing and the same command goes on where it stopped.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.build import Lowered
from pipeline.devices.address import LOCAL
from pipeline.errors import RequestError
from pipeline.targets import Target
from pipeline.tasks import Task, tasks_of
from pipeline.tune.bench import Equipment, equipped
from pipeline.tune.budget import Budget
from pipeline.tune.cpu_kind import CpuKind
from pipeline.tune.in_network import Networks
from pipeline.tune.journal import Journal
from pipeline.tune.kind import Kind
from pipeline.tune.lock import only_run
from pipeline.tune.progress import Progress, Tally
from pipeline.tune.session import Session, Summary

__all__ = ["Budget", "Options", "Progress", "Summary", "Tally", "tune"]


@dataclass(frozen=True)
class Options:
    """What measures, for how long, and the seed of arguments and of chance.

    `request` is what the run is called where its progress is shown. In the end networks of the
    best tiles take turns for `network_seconds` with each number of threads, unless that is 0 or
    devices are elsewhere.
    """

    budget: Budget = field(default_factory=Budget)
    devices: tuple[str, ...] = (LOCAL,)
    seed: int = 0
    request: str = ""
    network_seconds: float = 8.0
    equipment: Equipment = field(default_factory=Equipment)


def tune(
    lowered: Sequence[Lowered],
    target: Target,
    logs: Path,
    options: Options,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Summary:
    """Tune networks for a CPU, as far as the logs do not hold it yet.

    RequestError if another run tunes the same family or the logs do not fit; WorkFailedError if no
    candidate of a task works, no device is left or the disk is full. KeyboardInterrupt leaves
    records of everything that was measured.
    """
    kind, seconds = CpuKind(target), options.network_seconds
    networks = None
    if seconds and options.devices == (LOCAL,):
        networks = Networks(lowered, target, kind.kernel_threads, seconds)
    return tune_tasks(tasks_of(*lowered), kind, logs, options, progress, networks)


def tune_tasks(  # noqa: PLR0913 - each is part of a run
    tasks: Sequence[Task],
    kind: Kind,
    logs: Path,
    options: Options,
    progress: Callable[[Progress], None] = lambda _: None,
    networks: Networks | None = None,
) -> Summary:
    """The same for any kind of target; the best tiles compete in the `networks`, if there are."""
    budget = options.budget
    if budget.trials is not None and budget.trials < 1:
        raise RequestError(f"{budget.trials} trials measure nothing; ask for 1 or more")
    with only_run(logs, kind.family):
        about = kind.conditions(",".join(sorted(set(options.devices))))
        with (
            Journal(logs, kind.family, about) as journal,
            tempfile.TemporaryDirectory(prefix="shufflenet-tvm-tune-") as folder,
            equipped(kind, options.devices, Path(folder), options.equipment) as bench,
        ):
            session = Session(kind, logs, journal, bench, budget, options.seed, progress, networks)
            return session.run(tasks, options.request)
