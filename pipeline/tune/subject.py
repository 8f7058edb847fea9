"""What a task is tuned on: an operator alone, or a kernel whose stages have the recorded tiles."""

from typing import Any

from pipeline.records import Records
from pipeline.tasks import Task
from pipeline.tune.space import Subject
from schedules.cpu.border import Border
from schedules.cpu.kernel import Stage
from schedules.cpu.operators import operator
from schedules.machine import Machine


def subject_of(task: Task, machine: Machine, records: Records) -> Subject:
    """Strips take the tiles of the records, and those by hand where there are none."""
    if task.kind == "stage":
        return Subject(task.kernel)
    tiles = tuple(_stage_tile(stage, machine, records) for stage in task.kernel.stages)
    return Subject(task.kernel, tiles)


def _stage_tile(stage: Stage, machine: Machine, records: Records) -> Any:
    module = operator(stage.work)
    fields = None if isinstance(stage.work, Border) else records.stage(stage.work)
    if fields is None:
        return module.hand_tile(stage.work, machine, 1)
    return module.Tile(**{**fields, "strip_rows": 1})
