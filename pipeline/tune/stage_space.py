"""The tiles of one operator that fit the registers.

There are two sketches for each choice of what else a tile has, as are vectors, one of them of
fewer columns than vectors: the schedule of the operator, which may nest these otherwise, in which
the number of columns is a variable that MetaSchedule samples from those that fit. A candidate is a
sketch with a decision, so that no candidate exceeds the registers. The spaces are so small, a few
to some 150 candidates, that they are listed, not mutated at random.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from tvm import s_tir
from tvm.s_tir.schedule import Trace
from tvm.tirx import PrimFunc

from pipeline.records import canonical
from pipeline.tile_fields import TileFields, field_names, stage_fields
from pipeline.tune.features import Numbers, describe
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.kernel_function import program, schedule_stage
from schedules.cpu.operators import operator
from schedules.cpu.tiles import KernelTile
from schedules.machine import Machine

# What makes of a kernel's tile by hand the one that is compiled.
Settle = Callable[[Kernel, KernelTile], KernelTile]

# Enough rows in a strip to amortise its start; the strips themselves are chosen later.
ROWS = 7


def as_it_is(_: Kernel, tile: KernelTile) -> KernelTile:
    """The tile."""
    return tile


class StageSpace:
    """The tiles of one operator alone, in strips of a few rows."""

    def __init__(self, kernel: Kernel, machine: Machine, settle: Settle = as_it_is) -> None:
        (self.stage,) = kernel.stages
        self.kernel, self.machine, self._settle = kernel, machine, settle
        self.strip_rows = _strip_rows(self.stage)
        work, module = self.stage.work, operator(self.stage.work)
        names, fitting = field_names(self.stage), module.tiles_that_fit(work, machine)
        self.tiles: list[TileFields] = [dict(zip(names, t, strict=True)) for t in fitting]
        self._sketches: dict[str, tuple[s_tir.Schedule, list[int]]] = {}

    @cached_property
    def hand(self) -> TileFields:
        """The tile by hand."""
        work = self.stage.work
        tile = operator(work).hand_tiles(work, self.machine, self.strip_rows)[0]
        (tile,) = self._settle(self.kernel, KernelTile(self.strip_rows, "strips", (tile,))).stages
        return stage_fields(self.stage, tile)

    @property
    def likely(self) -> list[TileFields]:
        """None but the tile by hand."""
        return []

    def fits(self, tile: TileFields) -> bool:
        """Whether it is one of them."""
        return tile in self.tiles

    def describe(self, workload: Mapping[str, Any], tile: TileFields) -> Numbers:
        """What the cost model sees of a candidate."""
        return describe(workload, tile)

    @cached_property
    def program(self) -> PrimFunc:
        """The unscheduled function."""
        return program(self.kernel)

    def function(self, tile: TileFields) -> PrimFunc:
        """The scheduled function of a candidate."""
        return self.schedule(tile).mod["main"]

    def schedule(self, tile: TileFields) -> s_tir.Schedule:
        """The sketch for the tile's other fields, with the decision for its columns."""
        key = _kind(tile)
        if key not in self._sketches:
            self._sketches[key] = self._sketch(tile)
        sketch, columns = self._sketches[key]
        if not columns:
            return sketch
        trace = sketch.trace
        (sampling,) = (i for i in trace.insts if i.kind.name == "SampleCategorical")
        decisions = {**trace.decisions, sampling: columns.index(tile["columns"])}
        decided = s_tir.Schedule(self.program)
        Trace(trace.insts, decisions).apply_to_schedule(decided, remove_postproc=False)
        return decided

    def trace(self, tile: TileFields) -> str:
        """The moves that were made, as Python."""
        return str(self.schedule(tile).trace)

    def _sketch(self, tile: TileFields) -> tuple[s_tir.Schedule, list[int]]:
        """The schedule of a tile's kind, and the columns that it samples from."""
        alike = [other for other in self.tiles if _kind(other) == _kind(tile)]
        columns = [other["columns"] for other in alike if "columns" in other]
        sketch = s_tir.Schedule(self.program, seed=1)
        fields: TileFields = {**tile, "strip_rows": self.strip_rows}
        if columns:
            uniform = [1 / len(columns)] * len(columns)
            fields["columns"] = sketch.sample_categorical(columns, uniform)
        schedule_stage(sketch, self.stage, operator(self.stage.work).Tile(**fields))
        return sketch, columns


def _kind(tile: TileFields) -> str:
    """All fields of a tile but its columns, and whether these are fewer than its vectors."""
    others = {name: value for name, value in tile.items() if name != "columns"}
    narrow = tile.get("columns", 0) < tile.get("vectors", 0)
    return canonical({**others, "narrow": narrow})


def _strip_rows(stage: Stage) -> int:
    rows = int(stage.work.target.rows)
    return max(height for height in range(1, ROWS + 1) if rows % height == 0)
