"""When what a sum is added to enters it."""

import pytest

from schedules.cpu.kernel_function import program
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.pointwise_lanes import PointwiseLanes
from schedules.frame import Frame
from tests.schedules.layers import alone


@pytest.mark.parametrize("kind", [Pointwise, PointwiseLanes])
@pytest.mark.parametrize(("dtype", "first"), [("float32", True), ("float16", False)])
def test_a_sum_of_float16_begins_without_the_residual(kind: type, dtype: str, first: bool) -> None:
    source, target = (Frame(1, 2, 3, channels, dtype=dtype) for channels in (4, 8))
    text = str(program(alone(kind(source, target, 1, 4, 8, 8, residual=target))))
    beginning = text[text.index("T.init()") :].split("stage_sum[", 2)[1]
    assert ("residual[" in beginning) == first
    assert "residual[" in text
