"""What was found for one workload as a starting point for another of the same operator.

Another group count, width or resolution changes the extents, another core the registers; the best
tile changes less. Tiles of the most similar records become the nearest tiles that fit here, and
are measured like any other candidate.
"""

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

from pipeline.records import Record, canonical
from pipeline.tile_fields import TileFields
from pipeline.tune.features import Numbers, numbers
from pipeline.tune.space import ListedSpace

COUNT = 4
# How far apart two choices are that cannot be counted.
OTHER = 1.0


def similar_tiles(
    workload: Mapping[str, Any], space: ListedSpace, records: Sequence[Record]
) -> list[tuple[TileFields, Record]]:
    """The tiles of the space that are nearest to those of the most similar records, and those."""
    others = [
        record
        for record in records
        if record.workload.get("operator") == workload.get("operator")
        and record.tile.keys() == space.hand.keys()
    ]
    wanted = numbers(workload)
    others.sort(key=lambda record: (distance(wanted, numbers(record.workload)), record.key))
    found: dict[str, tuple[TileFields, Record]] = {}
    for record in others:
        tile = min(space.tiles, key=lambda one: tile_distance(one, record.tile))
        found.setdefault(canonical(tile), (tile, record))
        if len(found) == COUNT:
            break
    return list(found.values())


def distance(one: Numbers, other: Numbers) -> float:
    """The sum of the logarithms of the ratios; a number that only one has counts in full."""
    return sum(_apart(one.get(name, 0), other.get(name, 0)) for name in one.keys() | other.keys())


def tile_distance(one: TileFields, other: TileFields) -> float:
    """The same for tiles, whose fields need not be numbers."""
    counted = distance(numbers(one), numbers(other))
    return counted + sum(OTHER for name in one if one[name] != other[name]) / 100


def _apart(one: float, other: float) -> float:
    return abs(log(one + 1) - log(other + 1))
