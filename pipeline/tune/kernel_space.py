"""Strips for a kernel, and for each stage one of the tiles that were the fastest of it alone."""

from functools import cached_property

from tvm.tirx import PrimFunc

from pipeline.records import canonical
from pipeline.tile_fields import TileFields, fits_kernel, kernel_fields, kernel_tile
from pipeline.tune.stage_space import Settle, as_it_is
from schedules.cpu.kernel import Kernel
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.tiles import hand_tile, strip_choices, strips
from schedules.machine import Machine

# For every stage its best tiles, the fastest alone first.
StageTiles = tuple[tuple[TileFields, ...], ...]


class KernelSpace:
    """The tiles of a kernel; `start` has the winners of all stages in strips by hand."""

    def __init__(
        self, kernel: Kernel, machine: Machine, stages: StageTiles, settle: Settle = as_it_is
    ) -> None:
        self.kernel, self.machine, self.stages, self._settle = kernel, machine, stages, settle
        rows, sharing = strips(kernel, machine)
        winners = [tiles[0] for tiles in stages]
        self.start: TileFields = {"strip_rows": rows, "sharing": sharing, "stages": winners}

    @cached_property
    def hand(self) -> TileFields:
        """The tile by hand, which builders need not know."""
        tile = hand_tile(self.kernel, self.machine)
        return kernel_fields(self.kernel, self._settle(self.kernel, tile))

    def neighbours(self, tile: TileFields) -> list[TileFields]:
        """The tiles that differ in one choice: other strips, or another tile of one stage."""
        found = [
            {**tile, "strip_rows": rows, "sharing": sharing}
            for rows, sharing in strip_choices(self.kernel, self.machine)
        ]
        # A stage's second best comes before another one's third.
        for rank in range(max(len(tiles) for tiles in self.stages)):
            for at, tiles in enumerate(self.stages):
                if rank < len(tiles):
                    stages = [*tile["stages"][:at], tiles[rank], *tile["stages"][at + 1 :]]
                    found.append({**tile, "stages": stages})
        distinct = {canonical(one): one for one in found}
        distinct.pop(canonical(tile), None)
        return list(distinct.values())

    def fits(self, tile: TileFields) -> bool:
        """Whether the schedules make a tile on this machine."""
        return fits_kernel(self.kernel, tile, self.machine)

    def function(self, tile: TileFields) -> PrimFunc:
        """The scheduled function of a candidate."""
        made = kernel_tile(self.kernel, tile)
        return scheduled(self.kernel, made.stages, made.sharing)

    def trace(self, tile: TileFields) -> str:
        """The tiles, and the function that they make."""
        return f"# {tile}\n{self.function(tile).script()}"
