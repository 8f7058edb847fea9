"""A tune command over two small layers, for tests that kill it: python -m tests.tuning.network.

LOGS TRIALS [DEVICE] -> a line for each candidate, and `done` at the end.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from pipeline.__main__ import status_of
from pipeline.targets import Target, host
from pipeline.tune.bench import Equipment
from pipeline.tune.devices import Deadlines
from pipeline.tuning import Budget, Options, Progress, tune
from tests.tuning.conftest import lowered, pointwise

SEED = 7
# Longer than a server takes to start again, and shorter than a user would wait.
DEADLINES = Deadlines(connect=20.0, session=30, upload=20.0, run=10.0, tries=40, pause=0.5)
SHORT = Deadlines(connect=3.0, tries=2, pause=0.1)


def small_target() -> Target:
    """This machine with one core."""
    return replace(host(), machine=replace(host().machine, cores=1))


def main() -> None:
    """Tune, and tell."""
    logs, trials, *devices = sys.argv[1:]
    target = small_target()
    small = [pointwise(target, 3, (5, 20), (4, 5)), pointwise(target, 3, (8, 80), (4, 20))]
    more = [pointwise(target, 3, (8, 16 * n), (3, 7 + n)) for n in range(1, 5)]
    layers = lowered(*small, *(more if "LARGE_NETWORK" in os.environ else ()))
    patience = SHORT if "SHORT_PATIENCE" in os.environ else DEADLINES
    equipment = Equipment(worker="tests.tuning.simulated_worker", deadlines=patience, builders=1)
    options = Options(
        Budget(int(trials)), tuple(devices) or ("local",), SEED, "test", 0.0, equipment
    )

    def tell(progress: Progress) -> None:
        print(progress.kind, progress.trials, *progress.news, flush=True)

    tune([layers], target, Path(logs), options, tell)
    print("done", flush=True)


if __name__ == "__main__":
    sys.exit(status_of(main))
