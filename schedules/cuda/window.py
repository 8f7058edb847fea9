"""3x3 windows that act on each channel alone: depthwise convolution and pools.

    for item in (runs of pixels, vectors of channels), dealt out to threads:
        sum[pixels of the run, lanes] = 0            # lives in registers, in float32
        for kh in unroll:
            row = inside ? data[pixels under the run, vector] : 0
            sum[p, :] += row[p * stride + kw] * weight[kh, kw, vector] for p, kw in unroll
        out[pixels of the run, vector] = relu(sum + bias)

Neighbouring threads take neighbouring vectors of channels, which is one consecutive access a tap.
Neighbours in a row of pixels share most of what lies under their windows, and all weights: a thread
that computes a run of them loads these once. The rest of what nine taps read nine times comes from
the first-level cache, or from shared memory where the block itself has made the data.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cuda.block import Block, select
from schedules.cuda.loops import unrolled, vector
from schedules.cuda.patch import KERNEL, Pixel
from schedules.cuda.vectors import Lanes, Row, buffer, lanewise, quads, read, widened
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
    """A block's part of a window: `count` pixels, `run` neighbours a thread, by `places` channels
    from `first` on, `lanes` at a time, the packed constants, and the type of both."""

    name: str
    block: Block
    window: Window
    constants: dict[str, Any]
    count: int
    first: Any
    places: int
    lanes: int
    dtype: str
    run: int

    @property
    def under(self) -> int:
        """Pixels of a row under the windows of a run."""
        return pixels_under(self.run, self.window.stride)

    def weight(self, tap: int, first: Any) -> Lanes:
        """The weights of a tap for the channels from `first` on."""
        weights = self.constants["weight"]
        return read("weight", self.lanes, self.dtype, lambda lane: weights[tap, first + lane])


def pixels_under(run: int, stride: int) -> int:
    """Pixels of a row under the windows of so many neighbours."""
    return (run - 1) * stride + KERNEL


def emit_window(
    strip: Strip, taps: Callable[[Any], Tap], store: Callable[[Any, Any, Any], None]
) -> None:
    """The window of every pixel and channel of a strip.

    `taps(pixel)(down, across, first, lane)` is the data of channel first + lane under a tap of the
    windows of a run that begins with the pixel; `store(pixel, place, sums)` writes `sums[lane]`,
    which belong to the channels of the strip from `place` on.
    """
    lanes, run = strip.lanes, strip.run
    vectors = strip.places // lanes
    with strip.block.items(strip.count // run * vectors) as item:
        pixel, place = item // vectors * run, item % vectors * lanes
        first = strip.first + place
        sums = buffer(f"{strip.name}_sum", (run, lanes), "local")
        with unrolled(run, "p") as p, quads(lanes) as lane:
            T.buffer_store(sums, zero(), [p, lane])
        _add_rows(strip, taps(pixel), first, sums)
        for p in range(run):
            _finish(strip, first, Row(sums, p))
            store(pixel + p, place, Row(sums, p))


def _add_rows(strip: Strip, tap: Tap, first: Any, sums: Any) -> None:
    """Adds what lies under the windows of a run, row by row."""
    window, lanes, dtype = strip.window, strip.lanes, strip.dtype
    row = buffer(f"{strip.name}_row", (strip.under, lanes), "local", dtype)
    for down in range(KERNEL):
        for place in range(strip.under):
            with vector(lanes) as lane:
                T.buffer_store(row, tap(down, place, first, lane), [place, lane])
        for across in range(KERNEL):
            weight = None
            if window.kind == "depthwise":
                weight = strip.weight(down * KERNEL + across, first)
            for p in range(strip.run):
                with lanewise(lanes, dtype) as lane:
                    value, so_far = widened(row[p * window.stride + across, lane]), sums[p, lane]
                    value = value * weight(lane) if weight else value
                    made = T.max(so_far, value) if window.kind == "max" else so_far + value
                    T.buffer_store(sums, made, [p, lane])


def _finish(strip: Strip, first: Any, sums: Row) -> None:
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
        sums.store(activate(value, window.activation), lane)


def global_tap(data: Any, source: Frame, stride: int, pixel: Pixel) -> Tap:
    """The data of a tensor [pixels, channels] under the window of a pixel; zero off the image."""

    def tap(down: int, across: int, first: Any, lane: Any) -> Any:
        row, column = pixel.row * stride - 1 + down, pixel.column * stride - 1 + across
        number = (pixel.image * source.height + row) * source.width + column
        inside = [row >= 0, row < source.height, column >= 0, column < source.width]
        return select(inside, data[number, first + lane])

    return tap
