"""How what each filter reads varies: the second moments of its inputs on a few images.

An error e of the weights and the bias of a filter changes its result by e . (1, x), whose mean
square over the inputs x is e' M e, where M is the mean of (1, x)(1, x)'. Images of noise on coarse
patches stand in for those that a network will see: M follows from the weights for the most part,
which give each channel its mean and deviation, and tell which channels vary together.
"""

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.check import random_inputs
from pipeline.evaluate import evaluate
from pipeline.operators import Network, Operator

Moments = NDArray[np.float64]

IMAGES = 4
# No test and no command compares outputs for images of this seed.
SEED = 1_000_003
# Windows of an operator that are looked at, or a little more.
WINDOWS = 4096


def second_moments(network: Network, operators: Sequence[Operator]) -> list[Moments]:
    """Of each of these [groups, 1 + inputs, 1 + inputs], inputs of a group as its weights lie."""
    _, planes, height, width = network.shapes[network.source]
    images = np.concatenate(random_inputs((1, planes, height, width), IMAGES, SEED))
    wanted = {id(step) for step in operators}
    found: dict[int, Moments] = {}

    def see(step: Operator, data: torch.Tensor) -> None:
        if id(step) in wanted:
            found[id(step)] = _of(_windows(step, data))

    evaluate(network, torch.from_numpy(images), see)
    return [found[id(step)] for step in operators]


def _of(windows: torch.Tensor) -> Moments:
    """The mean of (1, x)(1, x)' over x in [groups, windows, inputs]."""
    ones = windows.new_ones((*windows.shape[:2], 1))
    known = torch.cat([ones, windows], dim=2)
    moments: Moments = (known.mT @ known / windows.shape[1]).numpy().astype("float64")
    return moments


def _windows(step: Operator, data: torch.Tensor) -> torch.Tensor:
    """Some of what the filters of each group read: [groups, windows, inputs]."""
    rows, columns = (1, 1) if step.kind == "pointwise" else step.kernel
    padding = 0 if step.kind == "pointwise" else step.padding
    framed = torch.nn.functional.pad(data, (padding,) * 4)
    images, channels, height, width = framed.shape
    apart = step.stride * math.ceil(math.sqrt(images * height * width / step.stride**2 / WINDOWS))
    taps = [
        framed[:, :, y : height - rows + 1 + y : apart, x : width - columns + 1 + x : apart]
        for y, x in product(range(rows), range(columns))
    ]
    groups = channels if step.kind == "depthwise" else step.groups
    # [images, channels, height, width, taps] to a group's channels, each with its taps.
    stacked = torch.stack(taps, -1).reshape(images, groups, channels // groups, -1, len(taps))
    return stacked.permute(1, 0, 3, 2, 4).reshape(groups, -1, channels // groups * len(taps))
