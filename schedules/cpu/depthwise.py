"""Depthwise 3x3 convolution on a CPU.

    for strip in parallel:                           # strip_rows rows of output pixels
        for row, vector_block, column_block:         # or the other way round
            sum[columns, vectors x lanes] = bias[v]  # lives in registers
            for kh, kw in unroll:
                sum[x, v] += data[row * stride + kh, x * stride + kw, v] * weight[kh, kw, v]
            out[row, x, v] = relu(sum[x, v])

Channels are lanes. What is outside the image is not read, and is zero (`window.under`). Every
multiply-add needs a vector of data, and what saves loads is that neighbouring columns share them:
a row of a tile loads (columns - 1) * stride + 3 vectors for 3 * columns multiply-adds. Where a
multiply-add takes nothing from memory, the weights of all nine taps stay in registers too.
"""

from dataclasses import dataclass
from math import ceil, gcd

import numpy as np
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.products import L2_BYTES
from schedules.cpu.window import KERNEL, by_hand, nest, orders, stays, under
from schedules.cpu.window import OrderedTile as Tile
from schedules.frame import Frame
from schedules.machine import LINE, PAGE, Machine
from schedules.program import Tensors, block, scratch, store
from schedules.vectors import Vectors

__all__ = [
    "NESTS",
    "Tile",
    "emit",
    "hand_tiles",
    "nest",
    "pack",
    "tiles_that_fit",
    "weight_dtype",
    "weight_shapes",
]

NESTS = 2

# Sums of a tile by hand at most, where multiply-adds take a factor from memory. Measured on Zen 4
# with 32 registers, tiles by hand of 16 sums and of 8, one thread and two: ShuffleNet 1.0x in 3
# groups takes 1.4 to 4 % less with 8, in 8 groups as long, MobileNet 1.0 and 0.5 0.4 to 0.7 % less;
# 0.5x 0.7 % less with one, with two as long, or 4 % longer where cores are far from each other.
MOST_SUMS = 8
# Vectors of data that the compiler loads ahead of their multiply-adds, times the stride.
AHEAD = 8
# The share of what could hide behind multiply-adds that does not.
EXPOSED = 1 / 6
# How much longer a line of each pixel takes that comes alone, where vectors are lines: cores bring
# lines in pairs. Measured on a Xeon, MobileNet 1.0 takes 1.1 % less with two vectors than with one.
ALONE = 1.3

# Pixels whose channels a core sees coming one after the other where the frame is in no near cache,
# and how much longer a line takes of more. Measured on Zen 3, 56 x 56 x 128 in tiles of 7 columns:
# its kernel of MobileNet 1.0 takes 9 % longer than with 4, which read 18 pixels for 27.
FOLLOWED, LOST = 20, 1.5


@dataclass(frozen=True)
class Depthwise:
    """A 3x3 convolution of each channel alone, padded by one."""

    source: Frame
    target: Frame
    stride: int
    lanes: int
    activation: str = "none"

    @property
    def dtype(self) -> str:
        """Of its arithmetic."""
        return self.source.dtype

    @property
    def window(self) -> tuple[int, int]:
        """Rows of the window, as many columns, and its padding."""
        return KERNEL, 1

    @property
    def vectors(self) -> Vectors:
        """The channels as vectors."""
        return Vectors(self.source.channels, self.lanes)

    @property
    def macs(self) -> int:
        """Multiply-adds."""
        return self.target.pixels * self.target.channels * KERNEL * KERNEL


def emit(name: str, work: Depthwise, tensors: Tensors) -> None:
    """Write the blocks of the stage into the function that is being built.

    `tensors` are data [rows, width, channels], the packed weight and bias, and out.
    """
    vectors, target, total = work.vectors, work.target, f"{name}_sum"
    data, weight, bias, out = (tensors[key] for key in ("data", "weight", "bias", "out"))
    axes = {"r": target.rows, "x": target.width, "v": vectors.count, "l": work.lanes}
    sums = scratch(total, tuple(axes.values()), work.dtype)
    with block(total, axes, reduce={"kh": KERNEL, "kw": KERNEL}) as (r, x, v, lane, kh, kw):
        value = under(work, data, (r, x), (kh, kw), vectors.start(v) + lane)
        with T.init():
            T.buffer_store(sums, bias[v, lane], [r, x, v, lane])
        T.buffer_store(sums, sums[r, x, v, lane] + value * weight[kh, kw, v, lane], [r, x, v, lane])
    with block(name, axes) as (r, x, v, lane):
        value = activate(sums[r, x, v, lane], work.activation, work.dtype)
        place = target.at(r, x, vectors.start(v) + lane)
        store(out, value, place)


def weight_shapes(work: Depthwise) -> dict[str, tuple[int, ...]]:
    """The constants of the stage and their packed shapes."""
    vectors = (work.vectors.count, work.lanes)
    return {"weight": (KERNEL, KERNEL, *vectors), "bias": vectors}


def weight_dtype(work: Depthwise) -> str:
    """The type of the constants."""
    return work.source.dtype


def pack(work: Depthwise, weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    """[channels, 3, 3] and [channels] as read: [kh, kw, vector, lane] and [vector, lane]."""
    indices = work.vectors.indices()
    shape = (work.vectors.count, work.lanes)
    taps = weight.transpose(1, 2, 0)[:, :, indices].reshape(KERNEL, KERNEL, *shape)
    packed = np.ascontiguousarray(bias[indices].reshape(shape))
    return {"weight": np.ascontiguousarray(taps), "bias": packed}


def tiles_that_fit(work: Depthwise, machine: Machine) -> list[tuple[int, int, bool]]:
    """Every (columns, vectors, channels inside) whose sums and weights fit the registers, with room
    for data."""
    return [
        (columns, vectors, inside)
        for vectors in range(1, work.vectors.count + 1)
        for columns in range(1, work.target.width + 1)
        if work.vectors.count % vectors == 0 and _fits(work, machine, columns, vectors)
        for inside in orders(work, machine, columns, vectors)
    ]


def _fits(work: Depthwise, machine: Machine, columns: int, vectors: int) -> bool:
    weights, room = KERNEL, 1
    if not machine.memory_operands and machine.registers > 2 * KERNEL * KERNEL:
        # The compiler loads early, and more so the more columns there are.
        weights, room = KERNEL * KERNEL, AHEAD * work.stride + columns // AHEAD
    return vectors * (columns + weights) + room <= machine.registers


def hand_tiles(work: Depthwise, machine: Machine, strip_rows: int) -> list[Tile]:
    """Those whose sums take half the registers at most, the fastest first as a count of cycles
    finds.

    Nine taps of more sums than that, all unrolled, do not stay in registers.
    """
    most = machine.registers // 2
    if machine.memory_operands:
        most = min(most, MOST_SUMS)
    inside = by_hand(machine)
    fitting = [tile for tile in tiles_that_fit(work, machine) if tile[2] == inside]
    roomy = [tile for tile in fitting if tile[0] * tile[1] <= most]
    ordered = sorted(roomy or fitting, key=lambda tile: cycles(work, machine, *tile))
    return [Tile(strip_rows, *tile) for tile in ordered]


def cycles(
    work: Depthwise, machine: Machine, columns: int, vectors: int, channels_inside: bool
) -> float:
    """Cycles of one kernel row over one row of pixels."""
    fma, load = machine.fma_cycles(work.lanes), machine.load_cycles(work.lanes)
    line_cycles = _line_cycles(work, vectors, channels_inside)
    far = work.source.bytes > machine.l2_bytes
    if channels_inside and far and KERNEL * _under(work, columns) > FOLLOWED:
        line_cycles *= LOST
    kept, crowded = stays(work, machine), _crowded(work, machine, columns)

    def step(x: int) -> float:
        pixels = _under(work, x)
        loads = vectors * (pixels + KERNEL) * load
        if not kept:
            loads = max(loads, (KERNEL * x if crowded else pixels) * line_cycles)
        multiply = KERNEL * x * vectors * fma
        # A sum grows by the taps of a row one after the other. Measured on Zen 4, nothing waits for
        # that, as the sums of the next tile are under way too.
        latency = 0 if machine.memory_operands else KERNEL * machine.fma_latency
        most = max(multiply, loads, latency)
        return most + EXPOSED * min(multiply, loads) + 1 if x else 0

    full, rest = divmod(work.target.width, columns)
    return (full * step(columns) + step(rest)) * work.vectors.count / vectors


def _under(work: Depthwise, columns: int) -> int:
    """Pixels of a row that windows of so many columns read."""
    return (columns - 1) * work.stride + KERNEL


def _line_cycles(work: Depthwise, vectors: int, channels_inside: bool) -> float:
    """Cycles in which the second-level cache brings what a tile reads of a pixel."""
    size = np.dtype(work.dtype).itemsize
    own = vectors * work.lanes * size
    if channels_inside:
        # Of a line that is half another's, that one is the next.
        return own / L2_BYTES
    lines = ceil(own / LINE)
    alone = lines == 1 and work.lanes * size == LINE < work.source.channels * size
    return lines * LINE / L2_BYTES * (ALONE if alone else 1)


def _crowded(work: Depthwise, machine: Machine, columns: int) -> bool:
    """Whether the first-level cache cannot hold the pixels under a tile, which the taps of a row
    then load one by one.

    Pixels that are a power of two of lines apart share few of its sets; each has as many ways as
    the cache has pages, which is what a way holds, one of which goes to what is written.
    """
    lines = ceil(work.source.shape[2] * np.dtype(work.dtype).itemsize / LINE)
    sets = PAGE // LINE // gcd(lines, PAGE // LINE)
    pixels = KERNEL * _under(work, columns)
    return pixels > sets * (machine.l1_bytes // PAGE - 1)
