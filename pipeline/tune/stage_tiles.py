"""The best tiles of stages, with which their kernels are tuned."""

from collections.abc import Mapping, Sequence

from pipeline.records import Records, canonical, describe_work
from pipeline.tile_fields import stage_fields
from pipeline.tune.kind import Tiles
from pipeline.tune.run_task import TaskRun
from schedules.cpu.kernel import Stage
from schedules.cpu.operators import operator
from schedules.machine import Machine

# Tiles of a stage that are tried in its kernel: so many, if alone they are at most that much slower
# than the best.
COUNT = 4
SLOWER = 1.08


def best_tiles(runs: Sequence[TaskRun], records: Records) -> dict[str, Tiles]:
    """The recorded tile of each stage that was tuned, and those that come close, by workload."""
    return {canonical(run.task.workload): _close(run, records) for run in runs}


def stage_tiles(stage: Stage, machine: Machine, best: Mapping[str, Tiles]) -> Tiles:
    """Those of a stage; the tile by hand of what was not tuned."""
    found = best.get(canonical(describe_work(stage.work)))
    # A border has one tile and is no task.
    hand = operator(stage.work).hand_tiles(stage.work, machine, 1)[0]
    return found or (stage_fields(stage, hand),)


def _close(run: TaskRun, records: Records) -> Tiles:
    valid = run.search.valid
    limit = (valid[0].seconds or 0.0) * SLOWER
    close = [trial.tile for trial in valid if (trial.seconds or 0.0) <= limit]
    winner = records.by_key[canonical(run.task.workload)].tile
    distinct = {canonical(tile): tile for tile in (winner, *close)}
    return tuple(distinct.values())[:COUNT]
