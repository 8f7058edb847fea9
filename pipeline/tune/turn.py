"""Candidates on their way from the builders to the devices.

Where nothing may be built while something is measured, all candidates of a round are built first
and then measured one after the other, so that builders and devices change places once a round.
"""

import time
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field

from pipeline.tune.bench import Bench
from pipeline.tune.entries import Candidate, Trial
from pipeline.tune.run_task import TaskRun
from pipeline.tune.worker import WRONG
from pipeline.tune.workshop import Library


@dataclass
class Turn:
    """A candidate that is being built; `result` is for who waits."""

    run: TaskRun
    candidate: Candidate
    building: Future[Library]
    result: Future[Trial] = field(default_factory=Future)


def turns_together(bench: Bench, turns: Sequence[Turn]) -> list[list[Turn]]:
    """The turns that are to be taken without a pause between them."""
    if any(bench.disturbed(turn.run.threads) for turn in turns):
        return [list(turns)]
    return [[turn] for turn in turns]


def take(bench: Bench, turns: Sequence[Turn]) -> None:
    """Measure candidates when all of them are built, in their order."""
    try:
        _take(bench, turns)
    except BaseException as error:
        for turn in turns:
            if not turn.result.done():
                turn.result.set_exception(error)
        raise


def _take(bench: Bench, turns: Sequence[Turn]) -> None:
    begun = time.monotonic()
    for turn in turns:
        for future in (turn.building, turn.run.reference):
            # Who asks for the result is told what went wrong; `wait` does not see a cancelled one.
            with suppress(CancelledError):
                future.exception()
    wrong: list[tuple[Turn, Trial]] = []
    threads = [number for turn in turns for number in turn.run.threads]
    with bench.alone(threads):
        waited = time.monotonic() - begun
        for turn in turns:
            if not turn.result.set_running_or_notify_cancel():
                continue
            trial = turn.run.attempt(turn.candidate, turn.building, waited)
            waited = 0.0
            if WRONG in (trial.failure or ""):
                wrong.append((turn, trial))
            else:
                turn.result.set_result(trial)
    # Only a builder knows how it was scheduled.
    for turn, trial in wrong:
        turn.result.set_result(turn.run.explained(trial))
