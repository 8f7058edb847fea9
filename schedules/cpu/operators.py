"""The operators that this folder serves: which module claims which workload."""

from types import ModuleType

from schedules.cpu import (
    adaptive_pool,
    border,
    channelwise,
    convolution,
    depthwise,
    first_convolution,
    first_convolution_deep,
    first_convolution_paired,
    mean,
    normalisation,
    pointwise,
    pointwise_deep,
    pointwise_lanes,
    pointwise_uneven,
    pool,
    row_pool,
    scale,
)

Work = (
    adaptive_pool.AdaptivePool
    | border.Border
    | channelwise.Channelwise
    | convolution.Convolution
    | depthwise.Depthwise
    | first_convolution.FirstConvolution
    | mean.Mean
    | normalisation.Normalisation
    | pointwise.Pointwise
    | pointwise_deep.PointwiseDeep
    | pointwise_lanes.PointwiseLanes
    | pointwise_uneven.PointwiseUneven
    | pool.Pool
    | scale.Scale
)

MODULES: dict[type, ModuleType] = {
    adaptive_pool.AdaptivePool: adaptive_pool,
    border.Border: border,
    channelwise.Channelwise: channelwise,
    convolution.Convolution: convolution,
    depthwise.Depthwise: depthwise,
    first_convolution.FirstConvolution: first_convolution,
    first_convolution.SizedFirstConvolution: first_convolution,
    first_convolution_deep.FirstConvolutionDeep: first_convolution_deep,
    first_convolution_paired.PairedFirstConvolution: first_convolution_paired,
    mean.Mean: mean,
    normalisation.Normalisation: normalisation,
    pointwise.Pointwise: pointwise,
    pointwise_deep.PointwiseDeep: pointwise_deep,
    pointwise_deep.SpreadPointwiseDeep: pointwise_deep,
    pointwise_lanes.PointwiseLanes: pointwise_lanes,
    pointwise_uneven.PointwiseUneven: pointwise_uneven,
    pool.Pool: pool,
    pool.SizedPool: pool,
    row_pool.RowPool: row_pool,
    scale.Scale: scale,
}


def operator(work: Work) -> ModuleType:
    """The module with `emit`, `nest`, `weight_shapes`, `tiles_that_fit`, `hand_tiles`, `NESTS`, and
    `weight_dtype` if there are weights."""
    return MODULES[type(work)]
