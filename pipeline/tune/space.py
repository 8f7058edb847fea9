"""What a task is tuned on: its candidates, and what they are given and compared with.

Builders get it as a file, so it is data that makes all else, and needs no PyTorch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray
from tvm.tirx import PrimFunc

from pipeline.tile_fields import TileFields

Array = NDArray[Any]
# A shape as allocated, and the type of the values.
Output = tuple[tuple[int, ...], str]


class Space(Protocol):
    """The candidates of a task, as builders and searches need them."""

    @property
    def hand(self) -> TileFields:
        """The tile by hand."""

    def fits(self, tile: TileFields) -> bool:
        """Whether the schedules make a tile for the target."""

    def function(self, tile: TileFields) -> PrimFunc:
        """The scheduled function of a candidate."""

    def trace(self, tile: TileFields) -> str:
        """How a candidate is scheduled, for people."""


class ListedSpace(Space, Protocol):
    """Candidates that can be listed.

    `likely` are those that are expected to be fast before any was measured, the fastest first.
    """

    @property
    def tiles(self) -> Sequence[TileFields]:
        """Those worth measuring."""

    @property
    def likely(self) -> Sequence[TileFields]:
        """The first to measure."""

    def describe(self, workload: Mapping[str, Any], tile: TileFields) -> dict[str, float]:
        """What the cost model sees of a candidate, also of another workload."""


@dataclass(frozen=True)
class Parameters:
    """What a worker has to know of a kernel's parameters: what it fills, which of the inputs it
    changes in place, and which are the same tensor as another one."""

    outputs: tuple[Output, ...]
    updates: tuple[int, ...] = ()
    aliases: tuple[tuple[int, int], ...] = ()


class Subject(Protocol):
    """What a task is tuned on.

    `choices` are what its candidates follow from besides its workload.
    """

    @property
    def choices(self) -> tuple[str, ...]:
        """As text; of other choices it is another task."""

    @property
    def parameters(self) -> Parameters:
        """Of its kernel."""

    def space(self) -> Any:
        """Its candidates."""

    def arguments(self, seed: int) -> list[Array]:
        """What a kernel is given, by a seed: inputs, and constants as the network packs them."""

    def export(self, function: PrimFunc, path: Path) -> None:
        """Make the library of a candidate."""

    def reference(self, path: Path, inputs: Sequence[tuple[Path, int]]) -> None:
        """Make what candidates are compared with, for the arguments of each seed in a file: a
        library at `path`, or at once what it would fill (`expected_path`)."""


def expected_path(inputs: Path) -> Path:
    """Where the outputs are, once they are known, for arguments in a file."""
    return inputs.with_suffix(".expected.npz")
