"""A network as a list of operators, without a layout: what is computed, not how.

It stands between the graph, whose operators are small (convolution, addition, ReLU), and the
workloads of a kind of target, which say where every channel lies in memory.
"""

from dataclasses import dataclass, field

import numpy as np

NONNEGATIVE = ("relu", "sigmoid")


@dataclass(frozen=True)
class LocalResponse:
    """Each value divided by (bias + alpha * mean of the squares of `size` channels)^(3/4)."""

    size: int
    alpha: float
    bias: float


@dataclass(frozen=True)
class Operator:
    """One operator with its epilogue. `kind` is one of

    "first_convolution", "pointwise", "depthwise", "convolution", "max_pool", "average_pool",
    "adaptive_pool", "mean", "scale", "normalisation", "channelwise".

    Its result goes to the channels of tensor `writes` from `offset` on, after adding `residual`
    and applying `activation` ("relu", "sigmoid" or "none"). Windows have `kernel` rows and columns.
    Weights are [out, in of a group, ...] as in PyTorch; those and the bias of "channelwise", if it
    has them, are a factor and a summand for each channel. `shuffle` is the number of groups of the
    channel shuffle on its input, `spread` that of one on its result.
    """

    kind: str
    data: str
    writes: str
    offset: int = 0
    activation: str = "none"
    groups: int = 1
    kernel: tuple[int, int] = (3, 3)
    stride: int = 1
    padding: int = 1
    shuffle: int = 1
    spread: int = 1
    residual: str | None = None
    gate: str | None = None
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    local_response: LocalResponse | None = None


@dataclass(frozen=True)
class Network:
    """Operators in an order in which they can run; every tensor's [batch, channels, h, w].

    `dtype` is the type of weights and of the tensors between image and result, where whoever lays
    the network out has none of its own.
    """

    operators: tuple[Operator, ...]
    shapes: dict[str, tuple[int, int, int, int]]
    source: str
    result: str
    result_shape: tuple[int, ...] = field(default=())
    dtype: str = "float32"
