"""What a cost model sees of a candidate: numbers that any operator has.

They are the extents of its workload, the fields of its tile, their products, and how much of an
extent the last, partial step of a tile wastes.
"""

from collections.abc import Callable, Mapping
from itertools import combinations
from math import ceil
from typing import Any

from pipeline.tile_fields import TileFields

Numbers = dict[str, float]
Describe = Callable[[Mapping[str, Any], TileFields], Numbers]


def numbers(workload: Mapping[str, Any], prefix: str = "") -> Numbers:
    """Every number of a workload by its path."""
    found: Numbers = {}
    for name, value in workload.items():
        if isinstance(value, Mapping):
            found |= numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            found[prefix + name] = float(value)
    return found


def describe(workload: Mapping[str, Any], tile: TileFields) -> Numbers:
    """What the model sees of a candidate."""
    extents, fields = numbers(workload), numbers(tile)
    row = {f"work {name}": value for name, value in extents.items()}
    row |= {f"tile {name}": value for name, value in fields.items()}
    for one, other in combinations(sorted(fields), 2):
        row[f"{one} x {other}"] = fields[one] * fields[other]
    for name, step in fields.items():
        for extent, size in extents.items():
            if step > 0 and size > 1:
                row[f"waste {extent} by {name}"] = ceil(size / step) * step / size
    return row
