"""A window over each channel alone, of depthwise convolutions and pools: its nest and its time.

    for strip:                                   # strip_rows rows of output pixels
        for row, vector_block, column_block:     # or, blocks first: vector_block, row, column_block
            sum[columns, vectors x lanes] = ...  # lives in registers
            for kh, kw in unroll: ...
            out[row, x, v] = ...

Rows first, all channels of the rows under the window have to stay in the first-level cache until
the next row is due. Where they do not, every line comes once for each row of the window. Blocks
first, it is enough that one block's lines of these rows stay, but blocks that share lines bring
them once each, unless those of the whole strip stay.
"""

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from tvm import s_tir

from schedules.cpu.moves import Nest, keep_in_registers
from schedules.cpu.products import EXPOSED, L2_BYTES
from schedules.cpu.window import tiled
from schedules.machine import LINE, Machine

# The share of the first-level cache that lines of one vector block find free, beside results and
# what else passes through it.
FREE = 0.5


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest, and which loop is outside: over vector blocks or over rows."""

    strip_rows: int
    columns: int
    vectors: int
    blocks_first: bool


def nest(sch: s_tir.Schedule, name: str, work: Any, tile: Any) -> Nest:
    """The nest above; fields of `tile` may be sampled."""
    strip, sums = tiled(sch, name, tile, tile.blocks_first)
    *_, x, v, lane, kh, kw = sch.get_loops(sums)
    sch.reorder(kh, kw, x, v, lane)
    sch.unroll(kh)
    sch.unroll(kw)
    keep_in_registers(sch, x, v, lane)
    return Nest((strip,), sums, kh)


def in_both_orders(work: Any, tiles: list[tuple[int, int]]) -> list[tuple[int, int, bool]]:
    """(columns, vectors, blocks first): either, where there are several blocks."""
    count = work.vectors.count
    return [(*tile, first) for tile in tiles for first in (False, True)[: 1 + (tile[1] < count)]]


@dataclass(frozen=True)
class Window:
    """What the time of such a nest follows from: a `size` x `size` window and its weights.

    `weights` are the vectors that a row of the window loads beside the data, and `latency` is how
    many cycles a result waits for each operation on it, where the core does nothing else meanwhile.
    """

    work: Any
    machine: Machine
    size: int
    weights: int
    latency: int

    def cycles(self, tile: Tile) -> float:
        """Cycles of one row of the window over one row of pixels of the result."""
        work, machine = self.work, self.machine
        operation, load = machine.fma_cycles(work.lanes), machine.load_cycles(work.lanes)
        line_cycles = self._lines(tile) * LINE / L2_BYTES

        def step(columns: int) -> float:
            pixels = (columns - 1) * work.stride + self.size
            loads = tile.vectors * (pixels + self.weights) * load
            loads = max(loads, pixels * line_cycles)
            operations = self.size * columns * tile.vectors * operation
            # A result grows by the taps of a row one after the other.
            most = max(operations, loads, self.size * self.latency)
            return most + EXPOSED * min(operations, loads) + 1 if columns else 0

        full, rest = divmod(work.target.width, tile.columns)
        of_block = full * step(tile.columns) + step(rest)
        return float(of_block * work.vectors.count / tile.vectors)

    def _lines(self, tile: Tile) -> float:
        """Lines that one vector block of a pixel brings for one row of the window."""
        work, machine = self.work, self.machine
        width, channels = work.source.shape[1:]
        item = np.dtype(work.dtype).itemsize
        pixel, block = int(channels * item), int(tile.vectors * work.lanes * item)
        # What is not a multiple of a line begins somewhere within one.
        whole = (block - gcd(block, pixel, LINE)) / LINE + 1
        shared = pixel / LINE * tile.vectors / int(work.vectors.count)
        rows = (tile.strip_rows - 1) * work.stride + self.size
        # Of the rows under all windows of a strip, those that it has not seen.
        anew = float(rows / (tile.strip_rows * self.size))
        if not tile.blocks_first:
            constants = self.weights * self.size * work.vectors.count * work.lanes * item
            stays = self.size * width * pixel + constants <= machine.l1_bytes
            return anew * shared if stays else whole
        room = FREE * machine.l1_bytes / LINE
        if rows * width * whole <= room:
            # Measured, blocks of whole lines are still faster than those that find half of them.
            return anew * (shared + whole) / 2
        # Where blocks share lines, what is fetched beside them fills the cache.
        stays = block % LINE == pixel % LINE == 0 and self.size * width * whole <= room
        return anew * whole if stays else whole
