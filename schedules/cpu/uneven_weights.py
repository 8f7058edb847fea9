"""What a grouped 1x1 convolution of `pointwise_uneven.py` is, and how its weights lie in memory.

    of each group:  | steps of the whole vectors, [k, d, v, lane] | those of the last, [k, c, d] |

So whole vectors are whole lines, and what is fetched ahead of a group is one piece.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm.script.ir_builder import tirx as T

from schedules.cpu.lane_sums import BLOCK, Pair, channels_in_order, rounds
from schedules.frame import Frame


@dataclass(frozen=True)
class PointwiseUneven:
    """The last channels of every group, of a convolution with `outputs` channels a group.

    This stage makes those from `first` on: as many vectors of `lanes` as they fill, and what is
    left of them in one of `rest_lanes` = channels x depth. `inputs` are channels of one group, a
    multiple of `depth`.
    """

    source: Frame
    target: Frame
    groups: int
    inputs: int
    outputs: int
    first: int
    lanes: int
    rest_lanes: int
    shuffle: int = 1
    offset: int = 0
    activation: str = "relu"

    @property
    def dtype(self) -> str:
        """Of its arithmetic."""
        return self.source.dtype

    @property
    def whole(self) -> int:
        """Vectors of a group that are full of channels."""
        return (self.outputs - self.first) // self.lanes

    @property
    def rest(self) -> int:
        """Channels of a group that are left over."""
        return (self.outputs - self.first) % self.lanes

    @property
    def depth(self) -> int:
        """Input channels that the vector of those takes at once."""
        return self.rest_lanes // self.rest

    @property
    def steps(self) -> int:
        """Times that the last vector takes inputs."""
        return self.inputs // self.depth

    @property
    def step_macs(self) -> int:
        """Multiply-adds of a pixel in one."""
        return self.depth * self.whole * self.lanes + self.rest_lanes

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return self.source.pixels * self.groups * self.inputs * (self.outputs - self.first)

    def places(self, group: Any, channel: int, count: int) -> Any:
        """Where `count` channels of a group, from that one of this stage on, lie in `target`."""
        at = self.offset + group * self.outputs + self.first + channel
        return at if count == 1 else T.ramp(at, 1, count)


def weights(work: PointwiseUneven) -> Iterator[tuple[int, int, int, range]]:
    """The vectors of weights of a step: where that of the first step begins and by how much each
    next one comes after it, which vector of channels it is for, and which inputs it meets.
    """
    whole = work.whole * work.lanes
    for k in range(work.depth):
        for v in range(work.whole):
            yield k * whole + v * work.lanes, work.depth * whole, v, range(k, k + 1)
    yield work.inputs * whole, work.rest_lanes, work.whole, range(work.depth)


def rounds_of(work: PointwiseUneven) -> list[list[Pair]]:
    """The additions of the lanes of the last vector."""
    return rounds(1, work.rest_lanes, work.depth, BLOCK // np.dtype(work.dtype).itemsize)


def weight_shapes(work: PointwiseUneven) -> dict[str, tuple[int, ...]]:
    """The constants of the stage and their packed shapes."""
    weight = (work.groups, 1, work.steps * work.step_macs)
    return {"weight": weight, "bias": (work.groups, work.whole * work.lanes + work.rest_lanes)}


def weight_dtype(work: PointwiseUneven) -> str:
    """The type of the constants."""
    return work.source.dtype


def pack(work: PointwiseUneven, weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """[out channels, in channels of a group] as read: [g, 0, step, ...], bias [g, v, lane].

    Of the last vector the first lane of each channel has its bias, the others zero.
    """
    full = work.whole * work.lanes
    made = work.first + np.concatenate([np.arange(full), full + _channels(work)])
    own = weight.reshape(work.groups, work.outputs, work.steps, work.depth)[:, made]
    packed = np.empty((work.groups, work.steps * work.step_macs), weight.dtype)
    for place, step, vector, inputs in weights(work):
        begin = vector * work.lanes
        many = work.rest if begin == full else work.lanes
        taken = own[:, begin : begin + many, :, inputs.start : inputs.stop].transpose(0, 2, 1, 3)
        lanes = np.arange(many * len(inputs))
        packed[:, place + step * np.arange(work.steps)[:, None] + lanes] = taken.reshape(
            work.groups, work.steps, -1
        )
    start = np.zeros(weight_shapes(work)["bias"], bias.dtype)
    chosen = bias.reshape(work.groups, work.outputs)[:, made]
    start[:, :full] = chosen[:, :full]
    start[:, full :: work.depth] = chosen[:, full:]
    return {"weight": packed[:, None], "bias": start}


def _channels(work: PointwiseUneven) -> np.ndarray:
    """The channels of the rest, each of which `depth` lanes have, for sums to be in order."""
    return channels_in_order(rounds_of(work), 1, work.rest_lanes, work.depth)
