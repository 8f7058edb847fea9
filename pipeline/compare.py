"""Two result files of one machine: what became slower, what faster, and how sure that is.

A change counts where it is both larger than a margin and certain: its confidence interval does not
hold zero. A margin alone would call a disturbance a change, certainty alone every change of the
clock by a hundredth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import RequestError
from pipeline.results import Result, ResultFile
from pipeline.significance import CONFIDENCE, Change, change, estimate

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
    """One model, engine and number of threads in both files; no `change` where one lacks it."""

    old: Result | None
    new: Result | None
    change: Change | None
    outcome: Outcome

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


def machine_change(old: ResultFile, new: ResultFile) -> dict[int, float]:
    """By what share bare multiply-adds became slower, by number of threads."""
    peaks = old.environment.fma_peak_gmacs, new.environment.fma_peak_gmacs
    return {count: peaks[0][count] / peaks[1][count] - 1 for count in peaks[0] if count in peaks[1]}


def _by_setting(results: Sequence[Result], engine: str | None) -> dict[tuple[object, ...], Result]:
    chosen = [result for result in results if engine in (None, result.engine)]
    return {result.setting: result for result in chosen}


def _comparison(
    old: Result | None, new: Result | None, margin: float, confidence: float
) -> Comparison:
    if old is None or new is None:
        return Comparison(old, new, None, Outcome.ADDED if old is None else Outcome.MISSING)
    found = change(estimate(old.samples_by_round), estimate(new.samples_by_round), confidence)
    return Comparison(old, new, found, _outcome(found, margin))


def _outcome(found: Change, margin: float) -> Outcome:
    if found.ratio > margin and found.low > 0:
        return Outcome.SLOWER
    # As much faster as the margin is slower: by the inverse ratio.
    if found.ratio < 1 / (1 + margin) - 1 and found.high < 0:
        return Outcome.FASTER
    return Outcome.SAME
