"""The tiles of a kernel for a GPU that are worth measuring.

What fits may be thousands of tiles, of which a count of cycles tells most to be slow. It is no
nearer to the truth than a fifth, so all that it finds up to twice as slow as the best are there,
some in any case, and no more than the cost model can look at in a moment. The cost model sees what
the count says of each, so it learns where the count is wrong.
"""

from collections.abc import Mapping
from functools import cached_property
from math import log
from typing import Any

from tvm.tirx import PrimFunc

from pipeline.gpu.tile_fields import gpu_fields, gpu_tile
from pipeline.gpu.workload import work_of
from pipeline.tile_fields import TileFields
from pipeline.tune.features import Numbers, describe
from schedules.cuda.chain import Chain
from schedules.cuda.operators import Work, hand_tile, program, tiles_that_fit
from schedules.cuda.tiles import seconds
from schedules.gpu import Gpu

SLOWER, FEWEST, MOST = 2.0, 64, 512
# Tiles that are measured after the hand tile, before the cost model has seen any.
LIKELY = 7


class GpuSpace:
    """The tiles of a kernel that a count of cycles does not find slow, and the one by hand."""

    def __init__(self, work: Work, gpu: Gpu) -> None:
        self.work, self.gpu = work, gpu

    @cached_property
    def hand(self) -> TileFields:
        """The tile by hand."""
        return gpu_fields(hand_tile(self.work, self.gpu))

    @cached_property
    def tiles(self) -> list[TileFields]:
        """Those worth measuring, by what the count says."""
        return [gpu_fields(tile) for tile in self._tiles]

    @cached_property
    def likely(self) -> list[TileFields]:
        """The best of those that cut the work into other blocks each, as neighbours of one tile
        mostly share its faults."""
        if not isinstance(self.work, Chain):
            return []
        shapes: dict[tuple[int, ...], Any] = {}
        for tile in self._tiles:
            shapes.setdefault((tile.rows, tile.columns, tile.parts, tile.groups), tile)
        return [gpu_fields(tile) for tile in shapes.values()][:LIKELY]

    def fits(self, tile: TileFields) -> bool:
        """Whether the schedules make a tile on this GPU."""
        return gpu_tile(self.work, tile, self.gpu) is not None

    def describe(self, workload: Mapping[str, Any], tile: TileFields) -> Numbers:
        """What the cost model sees: what it sees of any, and what the count of cycles says beside
        the hand tile's."""
        row = describe(workload, tile)
        work = work_of(workload)
        made = gpu_tile(work, tile, self.gpu) if isinstance(work, Chain) else None
        if isinstance(work, Chain) and made is not None:
            hand = seconds(work, hand_tile(work, self.gpu), self.gpu)
            row["counted"] = log(seconds(work, made, self.gpu) / hand)
        return row

    def function(self, tile: TileFields) -> PrimFunc:
        """The function of a candidate."""
        return program(self.work, gpu_tile(self.work, tile, self.gpu))

    def trace(self, tile: TileFields) -> str:
        """The tile, and the function that it makes."""
        return f"# {tile}\n{self.function(tile).script()}"

    @cached_property
    def _tiles(self) -> list[Any]:
        work, space = self.work, tiles_that_fit(self.work, self.gpu)
        if not isinstance(work, Chain):
            return space
        counted = sorted((seconds(work, tile, self.gpu), at) for at, tile in enumerate(space))
        count = sum(time <= counted[0][0] * SLOWER for time, _ in counted)
        return [space[at] for _, at in counted[: min(max(count, FEWEST), MOST)]]
