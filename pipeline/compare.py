"""Two result files of one machine: what became slower, what faster, and how sure that is.

A change counts where it is both larger than a margin and certain: its confidence interval does not
hold zero. A margin alone would call a disturbance a change, certainty alone every change of the
clock by a hundredth.

Between two runs the clock changes, and who else is on the machine. Where both have the rates of
bare multiply-adds in their rounds, times are compared at equal clock: as multiples of those.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import RequestError
from pipeline.results import Result, ResultFile
from pipeline.significance import CONFIDENCE, Change, at_equal_clock, change, estimate

MARGIN = 0.03


class Outcome(StrEnum):
    """What can be said of a setting."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "no difference"
    MISSING = "missing"
    ADDED = "added"


@dataclass(frozen=True)
class Comparison:
    """One model, engine and number of threads in both files; no `change` where one lacks it.

    `clock` is by what share bare multiply-adds became faster, which is taken out of the change.
    """

    old: Result | None
    new: Result | None
    change: Change | None
    outcome: Outcome
    clock: float | None = None

    @property
    def subject(self) -> Result:
        """Either of the two, for what they share."""
        found = self.old or self.new
        assert found is not None
        return found


def compare(
    old: ResultFile,
    new: ResultFile,
    margin: float = MARGIN,
    engine: str | None = None,
    confidence: float = CONFIDENCE,
) -> list[Comparison]:
    """Every setting of one engine, or of all.

    RequestError if the files are of different CPUs or share no setting.
    """
    if old.environment.cpu != new.environment.cpu:
        raise RequestError(
            f"one file is from {old.environment.cpu}, the other from {new.environment.cpu}; "
            "times of different CPUs say nothing of the code: measure both on one machine"
        )
    before, after = (_by_setting(file.results, engine) for file in (old, new))
    if not before.keys() & after.keys():
        raise RequestError(
            "the files share no model with the same engine, threads, input and batch; "
            "measure the same again with: shufflenet-tvm bench"
        )
    settings = dict.fromkeys([*before, *after])
    return [_comparison(before.get(s), after.get(s), margin, confidence) for s in settings]


def fails(comparisons: Sequence[Comparison]) -> bool:
    """Whether anything became slower or was lost."""
    return any(one.outcome in (Outcome.SLOWER, Outcome.MISSING) for one in comparisons)


def _by_setting(results: Sequence[Result], engine: str | None) -> dict[tuple[object, ...], Result]:
    chosen = [result for result in results if engine in (None, result.engine)]
    return {result.setting: result for result in chosen}


def _comparison(
    old: Result | None, new: Result | None, margin: float, confidence: float
) -> Comparison:
    if old is None or new is None:
        return Comparison(old, new, None, Outcome.ADDED if old is None else Outcome.MISSING)
    rounds, clock = [old.samples_by_round, new.samples_by_round], None
    ceilings = [old.ceiling_gmacs, new.ceiling_gmacs]
    if all(ceilings):
        rounds = [at_equal_clock(*one) for one in zip(rounds, ceilings, strict=True)]
        before, after = map(statistics.median, ceilings)
        clock = after / before - 1
    found = change(estimate(rounds[0]), estimate(rounds[1]), confidence)
    return Comparison(old, new, found, _outcome(found, margin), clock)


def _outcome(found: Change, margin: float) -> Outcome:
    if found.ratio > margin and found.low > 0:
        return Outcome.SLOWER
    # As much faster as the margin is slower: by the inverse ratio.
    if found.ratio < 1 / (1 + margin) - 1 and found.high < 0:
        return Outcome.FASTER
    return Outcome.SAME
