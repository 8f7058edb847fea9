"""Tiles as plain data, as records and journals hold them.

of a stage:   {"columns": 6, "vectors": 4}
of a kernel:  {"strip_rows": 7, "sharing": "strips", "stages": [{}, {"columns": 6, "vectors": 4}]}
"""

import dataclasses
from typing import Any, get_args

from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.operators import operator
from schedules.cpu.sharing import Sharing
from schedules.cpu.tiles import KernelTile, fits
from schedules.machine import Machine

TileFields = dict[str, Any]


def field_names(stage: Stage) -> list[str]:
    """The fields of a stage's tile; the rows of a strip are its kernel's."""
    return [field.name for field in dataclasses.fields(operator(stage.work).Tile)][1:]


def stage_fields(stage: Stage, tile: Any) -> TileFields:
    """The tile of a stage as plain data."""
    return {name: getattr(tile, name) for name in field_names(stage)}


def kernel_fields(kernel: Kernel, tile: KernelTile) -> TileFields:
    """The tile of a kernel as plain data."""
    pairs = zip(kernel.stages, tile.stages, strict=True)
    stages = [stage_fields(stage, one) for stage, one in pairs]
    return {"strip_rows": tile.strip_rows, "sharing": tile.sharing, "stages": stages}


def kernel_tile(kernel: Kernel, fields: TileFields) -> KernelTile:
    """The tile of a kernel from fields that fit."""
    rows = fields["strip_rows"]
    stages = tuple(
        operator(stage.work).Tile(**{**one, "strip_rows": rows})
        for stage, one in zip(kernel.stages, fields["stages"], strict=True)
    )
    return KernelTile(rows, fields["sharing"], stages)


def fits_stage(stage: Stage, fields: Any, machine: Machine) -> bool:
    """Whether a tile is one of those that the schedule makes on that machine."""
    names = field_names(stage)
    if not isinstance(fields, dict) or sorted(fields) != sorted(names):
        return False
    fitting = operator(stage.work).tiles_that_fit(stage.work, machine)
    return tuple(fields[name] for name in names) in fitting


def fits_kernel(kernel: Kernel, fields: TileFields, machine: Machine) -> bool:
    """Whether a kernel can be cut so, and every tile fits its stage."""
    if sorted(fields) != ["sharing", "stages", "strip_rows"]:
        return False
    rows, sharing, stages = fields["strip_rows"], fields["sharing"], fields["stages"]
    if type(rows) is not int or sharing not in get_args(Sharing):
        return False
    if not fits(kernel, rows, sharing):
        return False
    if not isinstance(stages, list) or len(stages) != len(kernel.stages):
        return False
    return all(
        fits_stage(stage, one, machine) for stage, one in zip(kernel.stages, stages, strict=True)
    )
