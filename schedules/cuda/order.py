"""In which order the channels between two 1x1 convolutions lie: where the shuffle goes.

Everything between them acts on each channel alone, so its channels may lie in any order. They lie
in the order in which the second convolution reads them: all channels of its first group, then all
of its second, each group up to whole 128-bit accesses, so that these are aligned. What the shuffle
does is then the index at which the first convolution stores, or the order of its weights.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm.script.ir_builder import tirx as T

from schedules.cuda.vectors import padded

Table = NDArray[np.int64]


@dataclass(frozen=True)
class Order:
    """`channels` channels after a shuffle of `shuffle` groups, as `consumers` groups read them, of
    type `dtype`."""

    channels: int
    shuffle: int
    consumers: int
    dtype: str = "float32"

    @property
    def inputs(self) -> int:
        """Channels that one group reads."""
        return self.channels // self.consumers

    @property
    def slice(self) -> int:
        """Places of one group."""
        return padded(self.inputs, self.dtype)

    @property
    def places(self) -> int:
        """Places of all groups."""
        return self.consumers * self.slice

    def shuffled(self, channel: Any) -> Any:
        """Where the shuffle puts a channel."""
        each = self.channels // self.shuffle
        return channel % each * self.shuffle + channel // each

    def place(self, channel: Any) -> Any:
        """Where a channel lies: those of one group of the shuffle are neighbours in each slice.

        Of the numbers below n, n // G * j + min(n % G, j) have a remainder by G that is less
        than j: so many places of the slice are taken by the groups of the shuffle before this.
        """
        if self.shuffle == 1:
            return channel // self.inputs * self.slice + channel % self.inputs
        each = self.channels // self.shuffle
        group, index = channel // each, channel % each
        consumer = self.shuffled(channel) // self.inputs
        first = consumer * self.inputs
        before = self._below(first + self.inputs, group) - self._below(first, group)
        rank = index - (first + self.shuffle - 1 - group) // self.shuffle
        return consumer * self.slice + before + rank

    def table(self) -> Table:
        """[consumers, slice]: the channel at every place, -1 for none."""
        table = np.full((self.consumers, self.slice), -1)
        for channel in range(self.channels):
            place = self.place(channel)
            table[place // self.slice, place % self.slice] = channel
        return table

    def runs(self, producers: int) -> Table:
        """[consumers, producers, run]: the channels of every consumer by who makes them.

        All runs are as long as the longest, up to whole accesses; -1 for none.
        """
        each = self.channels // producers
        lists: list[list[list[int]]] = [
            [[] for _ in range(producers)] for _ in range(self.consumers)
        ]
        for channel in range(self.channels):
            consumer = self.shuffled(channel) // self.inputs
            lists[consumer][channel // each].append(channel)
        longest = padded(max(len(run) for runs in lists for run in runs), self.dtype)
        table = np.full((self.consumers, producers, longest), -1)
        for consumer, runs in enumerate(lists):
            for producer, run in enumerate(runs):
                table[consumer, producer, : len(run)] = run
        return table

    def _below(self, number: Any, group: Any) -> Any:
        least = min if isinstance(number, int) and isinstance(group, int) else T.min
        return number // self.shuffle * group + least(number % self.shuffle, group)


def gathered(array: NDArray[Any], table: Table) -> NDArray[Any]:
    """The rows of an array that a table names, zeros where it names none."""
    extended = np.concatenate([array, np.zeros_like(array[:1])])
    found: NDArray[Any] = extended[table]
    return found
