"""Our own networks in turns with each other, for what one takes of the time of another.

A contest compares the engines of a network within seconds, and networks within minutes, in which
the clock and the load of the caches change: on a virtual machine of two cores a ratio of two of
them was 3.89 and 4.01 within half an hour. Here networks take turns as engines do there.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pipeline.contest import Conditions, Contest, ours
from pipeline.engines.registry import OURS
from pipeline.errors import WorkFailedError
from pipeline.measure import measure
from pipeline.pairs import HERO, OPPONENT
from pipeline.runner import Plan
from pipeline.steadiness import Rounds
from pipeline.subject import Subject

Begin = Callable[[str, int], None]

# So many rounds of each network there has to be time for: on a machine that others use as well,
# some were up to 30 % slower than their likes, and the ratio of two networks of one version was
# 3.72 and 3.98 in two runs of 12.
FEWEST_ROUNDS = 24


def compared(subjects: Sequence[Subject]) -> list[list[int]]:
    """The numbers of the subjects that tables compare: MobileNets and ShuffleNets for the CPU that
    are alike in all else, where there are both."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, one in enumerate(subjects):
        if one.gpu is None and one.model.name.startswith((HERO, OPPONENT)):
            alike = (one.target_name, one.model.batch, one.model.input_size, one.dtype)
            groups.setdefault(alike, []).append(number)

    def has(group: list[int], kind: str) -> bool:
        return any(subjects[number].model.name.startswith(kind) for number in group)

    return [group for group in groups.values() if has(group, HERO) and has(group, OPPONENT)]


def with_turns(
    contests: Sequence[Contest], subjects: Sequence[Subject], conditions: Conditions, begin: Begin
) -> list[Contest]:
    """The contests, one a subject, with what those networks took in turns that tables compare.

    WorkFailedError if one fails.
    """
    made = list(contests)
    for group in compared(subjects):
        begin("networks in turns", conditions.threads)
        taken = _in_turns([subjects[number] for number in group], conditions)
        for number, rounds in zip(group, taken, strict=True):
            made[number] = _with_rounds(made[number], rounds)
    return made


def _with_rounds(one: Contest, rounds: Rounds) -> Contest:
    results = [
        result.model_copy(update={"turns_ms": rounds}) if result.engine == OURS.name else result
        for result in one.results
    ]
    return replace(one, results=results)


def _in_turns(subjects: Sequence[Subject], conditions: Conditions) -> list[Rounds]:
    """Milliseconds of the inferences of each subject, by rounds; images are of one shape."""
    measured, failures = measure(
        [ours(subject) for subject in subjects],
        subjects[0].images()[:1],
        conditions.threads,
        _for_each(conditions.plan, len(subjects)),
        conditions.progress,
    )
    if failures:
        raise WorkFailedError(failures[0].reason)
    return [[[1e3 * taken for taken in samples] for samples in one.rounds] for one in measured]


def _for_each(plan: Plan, count: int) -> Plan:
    """The plan of a contest for each of so many networks, not for all of them together."""
    # How exact a quick one is it sees for itself.
    fewest = FEWEST_ROUNDS * plan.round_seconds if plan.precision is None else 0.0
    return replace(
        plan,
        seconds=max(plan.seconds, fewest) * count,
        limit_seconds=max(plan.limit_seconds, fewest) * count,
        loadgen_seconds=None,
    )
