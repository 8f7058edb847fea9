"""A kernel alone, many times in one CUDA graph: what it takes where the host launches nothing.

Each launch finds weights and activations in the second-level cache, as far as that holds them, and
begins as the one before it ends, as in the graph of a network.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import tvm_ffi

from pipeline.gpu.graph import Replay

# Launches of a kernel in the graph that says how many are to be in the one that counts, and of that
# at least and at most: the ends of a graph are shared by enough, and it is made in no time.
FEW, LEAST, MOST = 10, 10, 200


@dataclass(frozen=True)
class Repeated:
    """A graph of `count` launches."""

    replay: Replay
    count: int

    def seconds(self, times: int) -> list[float]:
        """Seconds of a launch, in each of so many replays."""
        return [seconds / self.count for seconds in self.replay.seconds(times)]

    def close(self) -> None:
        """Free what the device holds of it."""
        self.replay.close()


def repeated(
    kernel: Callable[..., object], arguments: Sequence[Any], count: int, device: Any, runtime: Any
) -> Repeated:
    """The graph of a kernel with these arguments."""

    def launch(stream: int) -> None:
        with tvm_ffi.use_raw_stream(device, stream):
            for _ in range(count):
                kernel(*arguments)

    return Repeated(Replay(launch, runtime), count)


def launches(first: float, milliseconds: float) -> int:
    """How many launches of `first` seconds make a graph of about so many milliseconds."""
    return min(max(ceil(milliseconds / 1e3 / first), LEAST), MOST)
