"""What the journal knows when a run begins: candidates that count, and those still to be measured.

A candidate that was measured with other schedules counts if its program is still the same, which
the structural hash of the scheduled function says.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.tune.entries import Candidate, Final, Outcome, Trial
from pipeline.tune.journal import Journal
from pipeline.tune.sealed import Row

# The program of a candidate as the schedules are now; None if they cannot make it.
ProgramOf = Callable[[Candidate], str | None]


@dataclass
class History:
    """What counts under the journal's conditions.

    `spent` are the seconds that each task took in all runs. `next_number` and `next_round` are
    above all that were ever used.
    """

    trials: list[Trial] = field(default_factory=list)
    pending: list[Candidate] = field(default_factory=list)
    finals: dict[str, Final] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    next_number: int = 0
    next_round: int = 0


def read_history(journal: Journal) -> History:
    """All that was measured under these conditions, whatever the schedules were."""
    history = History()
    results = {row[0]: row[1:] for row in journal.file.rows("results")}
    for row in journal.file.rows("candidates"):
        number, round_number, about, task, tile, origin, retired = row
        history.next_number = max(history.next_number, int(number or 0) + 1)
        history.next_round = max(history.next_round, int(round_number or 0) + 1)
        if about != journal.conditions:
            continue
        fields = json.loads(str(tile))
        candidate = Candidate(int(number or 0), int(round_number or 0), str(task), fields, origin)  # type: ignore[arg-type]
        result = results.get(number)
        if result is not None:
            before = history.spent.get(candidate.task, 0.0)
            history.spent[candidate.task] = before + float(result[9] or 0.0)
        if retired:
            continue
        if result is None:
            history.pending.append(candidate)
        else:
            history.trials.append(Trial(candidate, _outcome(result)))
    for _, task, trials, tile, seconds, hand, _, took in _finals(journal):
        history.spent[str(task)] = history.spent.get(str(task), 0.0) + float(took or 0.0)
        history.finals[str(task)] = Final(
            str(task), int(trials or 0), json.loads(str(tile)), float(seconds or 0.0),
            None if hand is None else float(hand),
        )  # fmt: skip
    return history


def without_stale(
    journal: Journal, history: History, tasks: set[str], schedules: str, program_of: ProgramOf
) -> int:
    """Retire the candidates of these tasks whose program is another by now; how many."""
    made_with = {row[0]: row[11] for row in journal.file.rows("results")}
    kept, stale = [], 0
    for trial in history.trials:
        one = trial.candidate
        if one.task in tasks and made_with[one.number] != schedules:
            if trial.outcome.program is None or program_of(one) != trial.outcome.program:
                journal.retire(one)
                stale += 1
                continue
            journal.restamp(one.number, schedules)
        kept.append(trial)
    history.trials = kept
    return stale


def _outcome(result: Row) -> Outcome:
    seconds, failure, program, trace, device, build, measure, wait, *_ = result
    return Outcome(
        None if seconds is None else float(seconds),
        None if failure is None else str(failure),
        None if program is None else str(program),
        None if trace is None else str(trace),
        str(device), float(build or 0), float(measure or 0), float(wait or 0),
    )  # fmt: skip


def _finals(journal: Journal) -> list[Row]:
    return journal.file.rows("finals", "conditions = ?", (journal.conditions,))
