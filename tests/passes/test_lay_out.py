"""Where the channels of a pixel lie: what is left out after them."""

import numpy as np
import pytest

from pipeline.operators import Network, Operator
from pipeline.passes.lay_out import lay_out
from schedules.frame import Frame
from schedules.machine import LINE
from tests.schedules.running import AVX2


def depthwise_of(channels: int) -> Network:
    shapes = {
        "image": (1, 3, 28, 28),
        "first": (1, channels, 14, 14),
        "second": (1, channels, 14, 14),
        "mean": (1, channels, 1, 1),
    }
    of_all, of_each = (np.zeros((channels, *rest), "float32") for rest in ((3, 3, 3), (3, 3)))
    bias = np.zeros(channels, "float32")
    operators = (
        Operator("first_convolution", "image", "first", stride=2, weight=of_all, bias=bias),
        Operator("depthwise", "first", "second", weight=of_each, bias=bias),
        Operator("mean", "second", "mean"),
    )
    return Network(operators, shapes, "image", "mean", (1, channels))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(
    ("bytes_of_a_pixel", "spare"), [(2048, True), (512, True), (1920, False), (256, False)]
)
def test_pixels_that_share_few_sets_of_a_cache_are_a_line_apart(
    bytes_of_a_pixel: int, spare: bool, dtype: str
) -> None:
    size = np.dtype(dtype).itemsize
    layout = lay_out(depthwise_of(bytes_of_a_pixel // size), AVX2.resized(4 / size), dtype)
    frames = {name: frame for name, frame in layout.frames.items() if isinstance(frame, Frame)}
    expected = LINE // size if spare else 0
    assert {frames[name].spare for name in ("first", "second")} == {expected}
    assert frames["mean"].spare == 0
