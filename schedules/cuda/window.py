"""3x3 windows that act on each channel alone: depthwise convolution and pools.

    for item in (pixels, vectors of channels), dealt out to threads:
        sum[4] = 0                                   # lives in registers
        for kh, kw in unroll:
            sum[:] += inside ? data[pixel under the tap, vector] * weight[kh, kw, vector] : 0
        out[pixel, vector] = relu(sum + bias)

Neighbouring threads take neighbouring vectors of channels, which is one consecutive access a tap.
What nine taps read nine times comes from the first-level cache, or from shared memory where the
block itself has made the data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cuda.block import Block, buffer, select, vector
from schedules.cuda.patch import KERNEL, Pixel
from schedules.frame import Frame
from schedules.program import zero

TAPS = KERNEL * KERNEL


@dataclass(frozen=True)
class Window:
    """A window padded by one. `kind` "max" takes a border of zeros, so it is for what is not
    negative; "average" counts the border."""

    kind: Literal["depthwise", "max", "average"]
    stride: int
    activation: str = "none"

    def constants(self, places: int) -> dict[str, tuple[int, ...]]:
        """The packed constants for so many channels as they lie in memory."""
        return {"weight": (TAPS, places), "bias": (places,)} if self.kind == "depthwise" else {}


Tap = Callable[[int, int, Any, Any], Any]


@dataclass(frozen=True)
class Strip:
    """A block's part of a window: `count` pixels by `places` channels from `first` on, `lanes` at
    a time, and the packed constants."""

    name: str
    block: Block
    window: Window
    constants: dict[str, Any]
    count: int
    first: Any
    places: int
    lanes: int


def emit_window(
    strip: Strip, taps: Callable[[Any], Tap], store: Callable[[Any, Any, Any], None]
) -> None:
    """The window of every pixel and channel of a strip.

    `taps(pixel)(down, across, first, lane)` is the data of channel first + lane under a tap;
    `store(pixel, place, sums)` writes `sums[lane]`, which belong to the channels of the strip from
    `place` on.
    """
    name, block, window, constants = strip.name, strip.block, strip.window, strip.constants
    vectors = strip.places // strip.lanes
    with block.items(strip.count * vectors) as item:
        pixel, place = item // vectors, item % vectors * strip.lanes
        sums = buffer(f"{name}_sum", (strip.lanes,), "local")
        with vector(strip.lanes) as lane:
            T.buffer_store(sums, zero(), [lane])
        tap = taps(pixel)
        for down in range(KERNEL):
            for across in range(KERNEL):
                with vector(strip.lanes) as lane:
                    value = tap(down, across, strip.first + place, lane)
                    if window.kind == "depthwise":
                        channel = strip.first + place + lane
                        value = value * constants["weight"][down * KERNEL + across, channel]
                    so_far = sums[lane]
                    made = T.max(so_far, value) if window.kind == "max" else so_far + value
                    T.buffer_store(sums, made, [lane])
        with vector(strip.lanes) as lane:
            value = sums[lane]
            if window.kind == "average":
                value = value * T.float32(1 / TAPS)
            if window.kind == "depthwise":
                value = value + constants["bias"][strip.first + place + lane]
            T.buffer_store(sums, activate(value, window.activation), [lane])
        store(pixel, place, sums)


def global_tap(data: Any, source: Frame, stride: int, pixel: Pixel) -> Tap:
    """The data of a tensor [pixels, channels] under the window of a pixel; zero off the image."""

    def tap(down: int, across: int, first: Any, lane: Any) -> Any:
        row, column = pixel.row * stride - 1 + down, pixel.column * stride - 1 + across
        number = (pixel.image * source.height + row) * source.width + column
        inside = [row >= 0, row < source.height, column >= 0, column < source.width]
        return select(inside, data[number, first + lane])

    return tap
