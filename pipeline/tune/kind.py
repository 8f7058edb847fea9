"""What of tuning depends on the kind of target: the answers are in `cpu_kind.py`, `gpu_kind.py`."""

from collections.abc import Mapping
from typing import Any, Protocol

from pipeline.tasks import Task
from pipeline.tile_fields import TileFields
from pipeline.tune.space import Subject

Tiles = tuple[TileFields, ...]


class Kind(Protocol):
    """A target as it is tuned for.

    `processor` is TVM's name of what runs kernels, `settings` the environment of the process beside
    it. `on_cores` says whether kernels need cores on which builders could run. What others taught
    of a task is tried before its hand tile if `foretold`.
    """

    on_cores: bool
    foretold: bool

    @property
    def family(self) -> str:
        """The name of records and journal."""

    @property
    def processor(self) -> str:
        """As in "cpu" and "cuda"."""

    @property
    def settings(self) -> dict[str, str]:
        """Variables of the environment."""

    def conditions(self, device: str) -> dict[str, Any]:
        """What measured times are true for; other conditions, other times."""

    def threads(self, task: Task) -> tuple[int, ...]:
        """The numbers of threads that a task is measured with."""

    def subject(self, task: Task, best: Mapping[str, Tiles]) -> Subject:
        """What a task is tuned on, with the best tiles of stages by their workloads."""
