"""A tiny network to tune, a log folder, and builders and devices with faults."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.build import Lowered
from pipeline.passes.group_stages import group_stages
from pipeline.targets import Target, host
from pipeline.tune.bench import Equipment
from pipeline.tune.conditions import conditions
from pipeline.tune.devices import Deadlines
from pipeline.tune.history import History, read_history
from pipeline.tune.journal import Journal
from pipeline.tuning import Budget, Options
from schedules.cpu.kernel import Stage
from schedules.cpu.pointwise import Pointwise
from schedules.frame import Frame

SEED = 7
SIMULATED = Equipment(worker="tests.tuning.simulated_worker", builders=1)
# What a test waits for where a user would wait longer.
IMPATIENT = Deadlines(connect=20.0, session=20, upload=20.0, run=5.0, tries=2, pause=0.2)


@pytest.fixture(scope="session")
def target() -> Target:
    """This machine with one core, as the others may be busy."""
    return replace(host(), machine=replace(host().machine, cores=1))


@pytest.fixture
def seed() -> int:
    print(f"seed {SEED}")
    return SEED


@pytest.fixture
def layer(target: Target) -> Lowered:
    """One grouped pointwise convolution of 4x5 pixels."""
    return lowered(pointwise(target, 3, (5, 20), (4, 5)))


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Equipment]:
    """A builder with these faults, by the place of a candidate in its space."""

    def equipment(deadlines: Deadlines = IMPATIENT, **faults: str) -> Equipment:
        named = {name.lstrip("_"): fault for name, fault in faults.items()}
        monkeypatch.setenv("FAULTS", json.dumps(named))
        builder, worker = "tests.tuning.faulty_builder", SIMULATED.worker
        return Equipment(builder, worker, deadlines, builders=1)

    return equipment


def options(trials: int | None = None, **rest: Any) -> Options:
    """So many trials with simulated times."""
    own = {"budget": Budget(trials), "seed": SEED, "network_seconds": 0.0}
    return Options(**{**own, "equipment": SIMULATED, **rest})


def journal(folder: Path, target: Target) -> Journal:
    """The journal, to read."""
    return Journal(folder, target.family, conditions(target), writing=False)


def history(folder: Path, target: Target) -> History:
    """What the journal knows."""
    with journal(folder, target) as opened:
        return read_history(opened)


def pointwise(
    target: Target, groups: int, channels: tuple[int, int], pixels: tuple[int, int]
) -> Pointwise:
    """A grouped 1x1 convolution from and to so many channels of a group."""
    inputs, outputs = channels
    source = Frame(1, *pixels, groups * inputs, dtype=target.dtype)
    made = Frame(1, *pixels, groups * outputs, dtype=target.dtype)
    lanes = target.machine.lanes_for(outputs)
    return Pointwise(source, made, groups, inputs, outputs, lanes)


def lowered(*works: Any) -> Lowered:
    """A network of unconnected operators, one kernel each."""
    calls = [
        call
        for number, work in enumerate(works)
        for call in group_stages(
            (Stage(f"layer{number}", work, (("data", f"x{number}"),), f"y{number}"),),
            f"y{number}",
            host().machine,
        )
    ]
    return Lowered(cast(Any, None), cast(Any, None), tuple(calls))
