"""Cutting channels into vectors, the last of which may overlap the one before it.

    20 channels in vectors of 8:  0..7  8..15  12..19

Every load and store is then a whole vector. The channels that two vectors share are computed
twice, to the same value, which costs nothing that a masked tail would not cost too.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

from tvm.script.ir_builder import tirx as T


@dataclass(frozen=True)
class Vectors:
    """`channels` channels in vectors of `lanes`; lanes never exceed the channels."""

    channels: int
    lanes: int

    @property
    def count(self) -> int:
        """How many vectors cover the channels."""
        return ceil(self.channels / self.lanes)

    def start(self, vector: Any) -> Any:
        """First channel of a vector, as an expression of its number."""
        if self.channels % self.lanes == 0:
            return vector * self.lanes
        return T.min(vector * self.lanes, self.channels - self.lanes)

    def indices(self) -> list[int]:
        """The channel of every lane of every vector, in order."""
        last = self.channels - self.lanes
        return [
            min(vector * self.lanes, last) + lane
            for vector in range(self.count)
            for lane in range(self.lanes)
        ]
