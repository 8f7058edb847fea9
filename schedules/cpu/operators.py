"""The operators that this folder serves: which module claims which workload."""

from types import ModuleType

from schedules.cpu import border, depthwise, first_convolution, mean, pointwise, pool, scale

Work = (
    border.Border
    | depthwise.Depthwise
    | first_convolution.FirstConvolution
    | mean.Mean
    | pointwise.Pointwise
    | pool.Pool
    | scale.Scale
)

MODULES: dict[type, ModuleType] = {
    border.Border: border,
    depthwise.Depthwise: depthwise,
    first_convolution.FirstConvolution: first_convolution,
    mean.Mean: mean,
    pointwise.Pointwise: pointwise,
    pool.Pool: pool,
    scale.Scale: scale,
}


def operator(work: Work) -> ModuleType:
    """The module with `emit`, `nest`, `weight_shapes`, `tiles_that_fit`, `hand_tile`, `NESTS`."""
    return MODULES[type(work)]
