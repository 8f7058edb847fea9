"""How often a candidate is timed, and what goes on meanwhile."""

import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.targets import Target
from pipeline.tune.bench import Bench, Equipment, equipped
from pipeline.tune.cpu_kind import CpuKind
from pipeline.tune.worker import Worker

FAST, LIMIT, SLOW = 1e-4, 2e-4, 3e-4


class Timed(Worker):
    """A worker of which a candidate takes so many seconds; it notes what it is told to do."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.inputs, self.place = seconds, [[], [], []], self
        self.threads: list[int] = []
        self.repeats: list[int] = []
        self.seeds: list[int] = []

    def timed(self, request: dict[str, Any]) -> float:
        self.repeats.append(request["repeats"])
        return self.seconds

    def use(self, threads: int) -> None:
        self.threads.append(threads)

    def _checked(self, seed: int) -> None:
        self.seeds.append(seed)


@pytest.mark.parametrize(
    ("seconds", "above", "repeats"),
    [(FAST, LIMIT, [3, 3, 5, 5]), (SLOW, LIMIT, [3, 3]), (SLOW, None, [5, 5])],
)
def test_what_is_far_above_the_best_is_looked_at_shortly(
    seconds: float, above: float | None, repeats: list[int]
) -> None:
    worker = Timed(seconds)
    request = {"threads": [2, 1], "repeats": 5, "slow_above": above, "thorough_below": FAST * 1.1}
    assert worker.measure(request) == {"seconds": [seconds] * 2}
    assert worker.repeats == repeats
    # It is checked with each number of threads, and timed with the same.
    assert worker.threads == [2, 1] * (1 + len(repeats) // 2)
    assert worker.seeds == ([0, 0, 1, 2] if seconds == FAST else [0, 0])


@pytest.mark.parametrize(("cores", "builders"), [(1, 1), (2, 2), (3, 2), (16, 15)])
def test_nothing_is_built_or_sought_on_the_cores_that_a_measured_kernel_needs(
    cores: int, builders: int, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    with equipped(CpuKind(target), ("local",), tmp_path, Equipment()) as bench:
        assert len(bench.workshop._children) == builders
        beside = [threads for threads in dict.fromkeys((1, cores)) if not is_alone(bench, threads)]
    assert beside == ([1] if builders < cores else [])


def test_builders_go_on_while_a_remote_device_measures(target: Target, tmp_path: Path) -> None:
    devices = ("rpc://127.0.0.1:1/none",)
    with equipped(CpuKind(target), devices, tmp_path, Equipment()) as bench:
        assert not is_alone(bench, 64)


def is_alone(bench: Bench, threads: int) -> bool:
    """Whether a kernel of so many threads has the cores for itself."""
    with bench.alone([threads]):
        idle = [bench.attention.locked(), bench.workshop._free.empty()]
        assert idle in ([True, True], [False, False])
        return all(idle)
