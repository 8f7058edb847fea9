"""The operators that this folder serves: which module claims which workload."""

from types import ModuleType

from schedules.cpu import (
    border,
    depthwise,
    first_convolution,
    mean,
    pointwise,
    pointwise_tail,
    pool,
    scale,
)

Work = (
    border.Border
    | depthwise.Depthwise
    | first_convolution.FirstConvolution
    | mean.Mean
    | pointwise.Pointwise
    | pointwise_tail.PointwiseTail
    | pool.Pool
    | scale.Scale
)

MODULES: dict[type, ModuleType] = {
    border.Border: border,
    depthwise.Depthwise: depthwise,
    first_convolution.FirstConvolution: first_convolution,
    mean.Mean: mean,
    pointwise.Pointwise: pointwise,
    pointwise_tail.PointwiseTail: pointwise_tail,
    pool.Pool: pool,
    scale.Scale: scale,
}


def operator(work: Work) -> ModuleType:
    """The module with `emit`, `nest`, `weight_shapes`, `tiles_that_fit`, `hand_tile`, `NESTS`."""
    return MODULES[type(work)]
