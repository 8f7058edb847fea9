"""What other workloads taught of an operator that is new: a candidate to try first, and its worth.

    from records        the tile of its own record, or of the most similar workload whose tile fits,
                        and its lead there
    from the journal    where that tells nothing, the cost model's choice, trained on the trials of
                        the most similar workloads

It is measured before the hand tile, as that is what a build uses anyway.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.records import Record
from pipeline.tasks import Task
from pipeline.tune.entries import Origin, Trial, fastest_first
from pipeline.tune.features import numbers
from pipeline.tune.history import History
from pipeline.tune.journal import Journal
from pipeline.tune.ranking import Ranking
from pipeline.tune.search import BATCH, LEAD, Outlook, Proposal
from pipeline.tune.similar import distance, similar_tiles, tile_distance
from pipeline.tune.space import ListedSpace

# Workloads to learn from; more of them say little more, and take as long again.
NEAREST = 16
# A tile of half as many columns or vectors is another tile, of which a lead tells nothing.
NEAR = 0.3

# A workload and what was measured of it, in the order proposed.
Lesson = tuple[Mapping[str, Any], Sequence[Trial]]


def all_lessons(journal: Journal, history: History, tasks: set[str]) -> list[Lesson]:
    """The trials of every operator but these tasks."""
    trials: dict[str, list[Trial]] = {}
    for trial in sorted(history.trials, key=lambda trial: trial.candidate.number):
        trials.setdefault(trial.candidate.task, []).append(trial)
    return [
        (entry.workload, trials[entry.task])
        for entry in journal.tasks()
        if "operator" in entry.workload and entry.task in trials and entry.task not in tasks
    ]


def nearest_lessons(workload: Mapping[str, Any], lessons: Sequence[Lesson]) -> list[Lesson]:
    """Those of the operator's workloads that are most like this one, the nearest first."""
    alike = [lesson for lesson in lessons if lesson[0]["operator"] == workload["operator"]]
    wanted = numbers(workload)
    alike.sort(key=lambda lesson: distance(wanted, numbers(lesson[0])))
    return alike[:NEAREST]


def outlook(
    task: Task, space: ListedSpace, lessons: Sequence[Lesson], records: Sequence[Record], seed: int
) -> Outlook:
    """What an operator may gain, by records of this core, or else by `lessons`, nearest first.

    A tile that was recorded without a lead is tried too where the rule for tiles by hand departs
    from it here: that saves nothing for certain, so it comes after all that does.
    """
    carried = _carried_over(task, space, records)
    if carried.saving or sum(len(trials) for _, trials in lessons) < BATCH:
        return carried
    best = fastest_first(lessons[0][1])
    seconds = best[0].seconds or 0.0 if best else 0.0
    (choice,), gain = _choice(Ranking(lessons, task.workload, seed, space.describe), space)
    chosen = _outlook((choice, "model"), gain, task.calls * seconds, space)
    return chosen if chosen.saving else carried


def _carried_over(task: Task, space: ListedSpace, records: Sequence[Record]) -> Outlook:
    """By the most similar record of the same vectors whose tile fits here as it is, or nearly."""
    lanes = task.workload.get("lanes")
    alike = [record for record in records if record.workload.get("lanes") == lanes]
    for tile, record in similar_tiles(task.workload, space, alike):
        if tile_distance(tile, record.tile) <= NEAR:
            gain = (record.hand_seconds or record.seconds) / record.seconds
            origin: Origin = "record" if record.workload == task.workload else "similar"
            return _outlook((tile, origin), gain, task.calls * record.seconds, space)
    return Outlook()


def _choice(ranking: Ranking, space: ListedSpace) -> tuple[list[Any], float]:
    """The tile that the model finds fastest, and by how much it is faster than the hand tile."""
    chosen = ranking.best(space.tiles, 1)
    best, hand = ranking.scores([*chosen, space.hand])
    return chosen, best / max(hand, 1e-3)


def _outlook(first: Proposal, gain: float, seconds: float, space: ListedSpace) -> Outlook:
    if first[0] == space.hand:
        return Outlook()
    return Outlook(first, seconds * (gain - 1) if gain >= LEAD else 0.0)
