"""3x3 windows that act on each channel alone: depthwise convolution and pools.

    for item in (pixels, vectors of channels), dealt out to threads:
        sum[lanes] = 0                               # lives in registers, in float32
        for kh, kw in unroll:
            sum[:] += inside ? data[pixel under the tap, vector] * weight[kh, kw, vector] : 0
        out[pixel, vector] = relu(sum + bias)

Neighbouring threads take neighbouring vectors of channels, which is one consecutive access a tap.
What nine taps read nine times comes from the first-level cache, or from shared memory where the
block itself has made the data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Literal

from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cuda.block import Block, select
from schedules.cuda.patch import KERNEL, Pixel
from schedules.cuda.vectors import Lanes, buffer, lanewise, quads, read
from schedules.frame import Frame
from schedules.program import TensorType, zero

TAPS = KERNEL * KERNEL


@dataclass(frozen=True)
class Window:
    """A window padded by one. `kind` "max" takes a border of zeros, so it is for what is not
    negative; "average" counts the border."""

    kind: Literal["depthwise", "max", "average"]
    stride: int
    activation: str = "none"

    def constants(self, places: int, dtype: str) -> dict[str, TensorType]:
        """The packed constants for so many channels as they lie in memory."""
        if self.kind != "depthwise":
            return {}
        return {"weight": TensorType((TAPS, places), dtype), "bias": TensorType((places,), dtype)}


Tap = Callable[[int, int, Any, Any], Any]


@dataclass(frozen=True)
class Strip:
    """A block's part of a window: `count` pixels by `places` channels from `first` on, `lanes` at
    a time, the packed constants, and the type of both."""

    name: str
    block: Block
    window: Window
    constants: dict[str, Any]
    count: int
    first: Any
    places: int
    lanes: int
    dtype: str

    def weight(self, tap: int, first: Any) -> Lanes:
        """The weights of a tap for the channels from `first` on."""
        weights = self.constants["weight"]
        return read("weight", self.lanes, self.dtype, lambda lane: weights[tap, first + lane])


def emit_window(
    strip: Strip, taps: Callable[[Any], Tap], store: Callable[[Any, Any, Any], None]
) -> None:
    """The window of every pixel and channel of a strip.

    `taps(pixel)(down, across, first, lane)` is the data of channel first + lane under a tap;
    `store(pixel, place, sums)` writes `sums[lane]`, which belong to the channels of the strip from
    `place` on.
    """
    window, lanes, dtype = strip.window, strip.lanes, strip.dtype
    vectors = strip.places // lanes
    with strip.block.items(strip.count * vectors) as item:
        pixel, place = item // vectors, item % vectors * lanes
        first = strip.first + place
        sums = buffer(f"{strip.name}_sum", (lanes,), "local")
        with quads(lanes) as lane:
            T.buffer_store(sums, zero(), [lane])
        tap = taps(pixel)
        for down, across in product(range(KERNEL), range(KERNEL)):
            data = read("tap", lanes, dtype, partial(tap, down, across, first))
            weight = None
            if window.kind == "depthwise":
                weight = strip.weight(down * KERNEL + across, first)
            with lanewise(lanes, dtype) as lane:
                value = data(lane) * weight(lane) if weight else data(lane)
                made = T.max(sums[lane], value) if window.kind == "max" else sums[lane] + value
                T.buffer_store(sums, made, [lane])
        _finish(strip, first, sums)
        store(pixel, place, sums)


def _finish(strip: Strip, first: Any, sums: Any) -> None:
    """What a window does with its sums, in place."""
    window, lanes, dtype = strip.window, strip.lanes, strip.dtype
    bias: Lanes | None = None
    if window.kind == "depthwise":
        constants = strip.constants["bias"]
        bias = read("bias", lanes, dtype, lambda lane: constants[first + lane])
    with lanewise(lanes, dtype) as lane:
        value = sums[lane]
        if window.kind == "average":
            value = value * T.float32(1 / TAPS)
        if bias is not None:
            value = value + bias(lane)
        T.buffer_store(sums, activate(value, window.activation), [lane])


def global_tap(data: Any, source: Frame, stride: int, pixel: Pixel) -> Tap:
    """The data of a tensor [pixels, channels] under the window of a pixel; zero off the image."""

    def tap(down: int, across: int, first: Any, lane: Any) -> Any:
        row, column = pixel.row * stride - 1 + down, pixel.column * stride - 1 + across
        number = (pixel.image * source.height + row) * source.width + column
        inside = [row >= 0, row < source.height, column >= 0, column < source.width]
        return select(inside, data[number, first + lane])

    return tap
