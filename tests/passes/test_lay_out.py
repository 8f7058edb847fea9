"""Where the channels of a pixel lie, and which operators share a workload."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.operators import Network, Operator
from pipeline.passes.lay_out import lay_out
from schedules.cpu.first_convolution_paired import PairedFirstConvolution
from schedules.cpu.row_pool import RowPool
from schedules.frame import Frame
from schedules.machine import LINE, Machine
from tests.schedules.running import AVX2, AVX512, NARROW_PAIRS


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


def test_of_one_pixel_vectors_are_the_widest() -> None:
    machine = replace(AVX512, fma_lanes=16)
    network = depthwise_of(16)
    weight, bias = np.zeros((1000, 16), "float32"), np.zeros(1000, "float32")
    last = Operator("pointwise", "mean", "logits", weight=weight, bias=bias)
    shapes = network.shapes | {"logits": (1, 1000, 1, 1)}
    network = Network((*network.operators, last), shapes, "image", "logits", (1, 1000))
    *_, classifier = (stage.work for stage in lay_out(network, machine, "float32").stages)
    assert (machine.lanes_for(1000), classifier.lanes) == (8, 16)


def pooled_after(
    channels: int, width: int = 112, activation: str = "relu", again: bool = False
) -> Network:
    """A first convolution, a maximum pool, and if `again` another reader of what is between."""
    wide, narrow = (1, channels, 56, width // 2), (1, channels, 28, (width // 2 + 1) // 2)
    shapes = {"image": (1, 3, 112, width), "first": wide, "second": wide, "pool": narrow}
    shapes["mean"] = (1, channels, 1, 1)
    weight, bias = np.zeros((channels, 3, 3, 3), "float32"), np.zeros(channels, "float32")
    operators = [
        Operator("first_convolution", "image", "first", 0, activation, 1, (3, 3), 2,
                 weight=weight, bias=bias),
        Operator("max_pool", "first", "pool", stride=2),
        Operator("mean", "first" if again else "pool", "mean"),
    ]  # fmt: skip
    return Network(tuple(operators), shapes, "image", "mean", (1, channels))


def kinds(network: Network, machine: Machine) -> list[str]:
    return [type(one.work).__name__ for one in lay_out(network, machine, "float32").stages[:2]]


def test_a_pool_takes_its_columns_while_they_are_in_registers() -> None:
    layout = lay_out(pooled_after(24), NARROW_PAIRS, "float32")
    first, rows = (stage.work for stage in layout.stages[:2])
    assert isinstance(first, PairedFirstConvolution)
    assert isinstance(rows, RowPool)
    assert (first.columns, first.pooled) == (4, True)
    assert first.target == rows.source == layout.frames["first"]
    assert (first.target.height, first.target.width) == (56, 28)
    assert first.macs == 56 * 56 * 24 * 27


def test_a_pool_of_what_is_read_elsewhere_or_is_signed_stays_whole() -> None:
    apart = ["PairedFirstConvolution", "Pool"]
    assert kinds(pooled_after(24, activation="none"), NARROW_PAIRS) == apart
    assert kinds(pooled_after(24, again=True), NARROW_PAIRS) == apart
    assert kinds(pooled_after(24), NARROW_PAIRS) == ["PairedFirstConvolution", "RowPool"]


def test_rows_and_columns_that_are_no_pairs_or_do_not_fit_are_not_paired() -> None:
    whole = ["FirstConvolution", "Pool"]
    assert kinds(pooled_after(24, width=118), NARROW_PAIRS) == whole
    # Fewer pairs than are made ready at once.
    assert kinds(pooled_after(24, width=28), NARROW_PAIRS) == whole
    assert kinds(pooled_after(24, width=36), NARROW_PAIRS) == ["PairedFirstConvolution", "RowPool"]
    # Sums of 2 x 2 pixels of 7 vectors of 16, and the weights of a tap.
    assert kinds(pooled_after(96), NARROW_PAIRS) == ["PairedFirstConvolution", "RowPool"]
    assert kinds(pooled_after(112), NARROW_PAIRS) == whole
    # Vectors of 8, whose sums have 16 registers: 2 of them keep a core too idle, 4 do not fit.
    assert kinds(pooled_after(16), AVX2) == whole
    assert kinds(pooled_after(24), AVX2) == ["PairedFirstConvolution", "RowPool"]
    assert kinds(pooled_after(32), AVX2) == whole
    # What was not measured.
    assert kinds(pooled_after(32), replace(NARROW_PAIRS, fma_lanes=32)) == whole
    assert kinds(pooled_after(24), replace(NARROW_PAIRS, memory_operands=False)) == whole
