"""Times engines against each other: all loaded, one at a time awake, in turns.

    for as many processes of each engine as the plan has:
        load and warm up every engine, each alone
        until there are enough samples:
            for engine in engines, starting one further on each time:
                wake it, time one round of some dozens of inferences, stop it

Taking turns within a fraction of a second gives every engine the same clock and the same
disturbances, which separate runs minutes apart would not.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.engines.pipe import EngineError
from pipeline.engines.process import Deadlines, EngineProcess
from pipeline.engines.registry import LOOPS, EngineKind
from pipeline.engines.worker import Array
from pipeline.runner import Measurement, Plan, Runner, joined

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Participant:
    """An engine with what it loads (`source`) and the Python that runs it."""

    kind: EngineKind
    source: dict[str, Any]
    python: Path = Path(sys.executable)
    deadlines: Deadlines = Deadlines()  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class Failure:
    """An engine that could not be measured, and why."""

    engine: str
    threads: int
    reason: str


def measure(
    participants: Sequence[Participant],
    images: Sequence[Array],
    threads: int,
    plan: Plan,
    progress: Progress = lambda _: None,
) -> tuple[list[Measurement], list[Failure]]:
    """Time every participant on the first image; an engine that fails leaves the others alone."""
    parts: list[list[Measurement]] = [[] for _ in participants]
    failures: dict[int, Failure] = {}
    for number in range(plan.processes):
        left = [index for index in range(len(participants)) if index not in failures]
        own = plan.of_a_process
        if number < plan.processes - 1:
            own = replace(own, loadgen_seconds=None)
        found = _measured([participants[index] for index in left], images, threads, own, progress)
        for index, one in zip(left, found, strict=True):
            if isinstance(one, Failure):
                failures[index] = one
            else:
                parts[index].append(one)
    whole = [joined(found) for index, found in enumerate(parts) if index not in failures]
    return whole, [failures[index] for index in sorted(failures)]


def _measured(
    participants: Sequence[Participant], images: Sequence[Array], threads: int, plan: Plan,
    progress: Progress,
) -> list[Measurement | Failure]:  # fmt: skip
    """What a process of each participant gave."""
    with ExitStack() as stack:
        runners: list[Runner] = []
        for participant in participants:
            progress(f"loading {participant.kind.name}, {threads} threads")
            process = stack.enter_context(
                EngineProcess(participant.kind, threads, participant.python, participant.deadlines)
            )
            runner = Runner(process)
            runners.append(runner)
            with _recorded(runner):
                runner.prepare(participant.source, images, plan)
        _take_turns(runners, plan, progress)
        if plan.loadgen_seconds:
            networks = (one for one in runners if one.process.kind.name not in LOOPS)
            for runner in (one for one in networks if one.works):
                progress(f"LoadGen: {runner.process.label}")
                with _recorded(runner):
                    runner.take_loadgen(plan.loadgen_seconds)
        for runner in (one for one in runners if one.works):
            with _recorded(runner):
                runner.require_threads()
        return [_outcome(runner) for runner in runners]


def _outcome(runner: Runner) -> Measurement | Failure:
    if runner.failure is None:
        return runner.measurement()
    return Failure(runner.process.kind.name, runner.process.threads, runner.failure)


def _take_turns(runners: Sequence[Runner], plan: Plan, progress: Progress) -> None:
    start = time.monotonic()
    for turn in range(sys.maxsize):
        live = [runner for runner in runners if runner.works]
        elapsed = time.monotonic() - start
        done = elapsed >= plan.seconds and all(runner.has_enough(plan) for runner in live)
        if not live or done or (turn and elapsed >= plan.limit_seconds):
            return
        progress(f"round {turn + 1}, {elapsed:.0f} s")
        shift = turn % len(live)
        for runner in live[shift:] + live[:shift]:
            with _recorded(runner):
                runner.take_round(plan)


@contextmanager
def _recorded(runner: Runner) -> Iterator[None]:
    """Turn the failure of an engine into a record."""
    try:
        yield
    except EngineError as error:
        runner.failure = str(error)
        runner.process.close()
