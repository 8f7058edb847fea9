"""What a task is tuned on: an operator alone, or a kernel with the best tiles of its stages."""

from collections.abc import Mapping, Sequence

from pipeline.records import Records, canonical, describe_work
from pipeline.tasks import Task
from pipeline.tile_fields import TileFields, stage_fields
from pipeline.tune.run_task import TaskRun
from pipeline.tune.space import Subject
from schedules.cpu.kernel import Stage
from schedules.cpu.operators import operator
from schedules.machine import Machine

# Tiles of a stage that are tried in its kernel: so many, if alone they are at most that much slower
# than the best.
COUNT = 4
SLOWER = 1.08

Tiles = tuple[TileFields, ...]


def subject_of(task: Task, machine: Machine, best: Mapping[str, Tiles]) -> Subject:
    """A kernel takes the best tiles of its stages by their workloads."""
    if task.kind == "stage":
        return Subject(task.kernel)
    return Subject(task.kernel, tuple(_tiles(s, machine, best) for s in task.kernel.stages))


def best_tiles(runs: Sequence[TaskRun], records: Records) -> dict[str, Tiles]:
    """The recorded tile of each stage that was tuned, and those that come close, by workload."""
    return {canonical(run.task.workload): _close(run, records) for run in runs}


def _close(run: TaskRun, records: Records) -> Tiles:
    valid = run.search.valid
    limit = (valid[0].seconds or 0.0) * SLOWER
    close = [trial.tile for trial in valid if (trial.seconds or 0.0) <= limit]
    winner = records.by_key[canonical(run.task.workload)].tile
    distinct = {canonical(tile): tile for tile in (winner, *close)}
    return tuple(distinct.values())[:COUNT]


def _tiles(stage: Stage, machine: Machine, best: Mapping[str, Tiles]) -> Tiles:
    found = best.get(canonical(describe_work(stage.work)))
    # A border has one tile and is no task.
    hand = operator(stage.work).hand_tiles(stage.work, machine, 1)[0]
    return found or (stage_fields(stage, hand),)
