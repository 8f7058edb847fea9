"""Times engines against each other: all loaded, one at a time awake, in turns.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.engines.pipe import EngineError
from pipeline.engines.process import Deadlines, EngineProcess
from pipeline.engines.registry import PEAK, EngineKind
from pipeline.engines.worker import Array
from pipeline.runner import Measurement, Plan, Runner

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
    failures: list[Failure] = []
    with ExitStack() as stack:
        runners: list[Runner] = []
        for participant in participants:
            progress(f"loading {participant.kind.name}, {threads} threads")
            process = stack.enter_context(
                EngineProcess(participant.kind, threads, participant.python, participant.deadlines)
            )
            runner = Runner(process)
            with _recorded(runner, failures):
                runner.prepare(participant.source, images, plan)
                runners.append(runner)
        _take_turns(runners, failures, plan, progress)
        if plan.loadgen_seconds:
            for runner in (one for one in runners if not one.failed and one.process.kind != PEAK):
                progress(f"LoadGen: {runner.process.label}")
                with _recorded(runner, failures):
                    runner.take_loadgen(plan.loadgen_seconds)
        finished = [runner for runner in runners if not runner.failed]
        for runner in finished:
            with _recorded(runner, failures):
                runner.require_threads()
        return [runner.measurement() for runner in finished if not runner.failed], failures


def _take_turns(
    runners: Sequence[Runner], failures: list[Failure], plan: Plan, progress: Progress
) -> None:
    start = time.monotonic()
    for turn in range(sys.maxsize):
        live = [runner for runner in runners if not runner.failed]
        elapsed = time.monotonic() - start
        done = elapsed >= plan.seconds and all(runner.has_enough(plan) for runner in live)
        if not live or done or (turn and elapsed >= plan.limit_seconds):
            return
        progress(f"round {turn + 1}, {elapsed:.0f} s")
        shift = turn % len(live)
        for runner in live[shift:] + live[:shift]:
            with _recorded(runner, failures):
                runner.take_round(plan)


@contextmanager
def _recorded(runner: Runner, failures: list[Failure]) -> Iterator[None]:
    """Turn the failure of an engine into a record."""
    try:
        yield
    except EngineError as error:
        runner.failed = True
        runner.process.close()
        failures.append(Failure(runner.process.kind.name, runner.process.threads, str(error)))
