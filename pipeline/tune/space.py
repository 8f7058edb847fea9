"""The candidates of a task: tiles of one operator, or of a whole kernel."""

from dataclasses import dataclass
from typing import Protocol

from tvm.tirx import PrimFunc

from pipeline.tile_fields import TileFields
from pipeline.tune.kernel_space import KernelSpace, StageTiles
from pipeline.tune.stage_space import StageSpace
from schedules.cpu.kernel import Kernel
from schedules.machine import Machine


class Space(Protocol):
    """What a builder and a search need of either."""

    @property
    def hand(self) -> TileFields:
        """The tile by hand."""

    def function(self, tile: TileFields) -> PrimFunc:
        """The scheduled function of a candidate."""

    def trace(self, tile: TileFields) -> str:
        """How a candidate is scheduled, for people."""


@dataclass(frozen=True)
class Subject:
    """What a space is made of: a kernel of one stage, or one with the best tiles of its stages."""

    kernel: Kernel
    stages: StageTiles | None = None


def space_of(subject: Subject, machine: Machine) -> StageSpace | KernelSpace:
    """The candidates of a subject."""
    if subject.stages is None:
        return StageSpace(subject.kernel, machine)
    return KernelSpace(subject.kernel, machine, subject.stages)
