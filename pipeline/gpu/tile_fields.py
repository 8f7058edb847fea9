"""Tiles of kernels for GPUs as plain data, as records and journals hold them.

{"rows": 4, "columns": 7, "parts": 1, "pixels": 2, "splits": 1, "threads": 128, ...}
"""

import dataclasses
from functools import lru_cache
from typing import Any

from pipeline.tile_fields import TileFields
from schedules.cuda.operators import Work, hand_tile, tiles_that_fit
from schedules.gpu import Gpu


def gpu_fields(tile: Any) -> TileFields:
    """A tile as plain data."""
    return dataclasses.asdict(tile)


def gpu_tile(work: Work, fields: Any, gpu: Gpu) -> Any:
    """The tile of these fields; None if it is none of those that fit the GPU."""
    kind = type(hand_tile(work, gpu))
    names = {field.name for field in dataclasses.fields(kind)}
    if not isinstance(fields, dict) or set(fields) != names:
        return None
    if not all(type(value) is int for value in fields.values()):
        return None
    tile = kind(**fields)
    return tile if tile in _fitting(work, gpu) else None


@lru_cache(maxsize=4096)
def _fitting(work: Work, gpu: Gpu) -> frozenset[Any]:
    return frozenset(tiles_that_fit(work, gpu))
