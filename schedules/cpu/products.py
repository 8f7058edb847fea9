"""Tiles of products, as convolutions are: which fit the registers, and how long their loops take.

    for columns, vectors: sum[x, v] += data[x] * weight[v]      # the data broadcast

A step multiplies `columns` values of the data by `vectors` vectors of weights. Its loads hide
behind the multiply-adds, but not wholly where there are nearly as many: measured on AVX-512, a
tile of 28 x 1 takes 1.2 times, one of 14 x 2 1.05 times as long as its multiply-adds. (28 x 1
written by hand takes 1.03 times: the compiler's addresses are of two registers each, which no
multiply-add takes in one operation.) And a sum waits for its last multiply-add: so many as a core
has under way at once, 8 of 4 cycles at two a cycle, are too few to keep it busy. Measured on Zen 4,
on slopes over the number of steps: 6 sums or fewer take the latency, 8 take 1.08, 9 1.02 to 1.07,
10 1.05, 12 1.00 times as long as their multiply-adds.
"""

from dataclasses import dataclass

import numpy as np

from schedules.machine import Machine

# The share of what could hide that does not.
EXPOSED = 1 / 6
# Sums over those that a core has under way at once, from which on none waits, and the share of its
# time that one step waits where there are as many as that.
ENOUGH = 1.5
SCARCE = 0.08
# The share of the first-level cache that a panel may take and stay there. Measured with one of
# 32 KB: 25 KB did, 32 KB did not.
PANEL = 0.8
# Bytes that the second-level cache delivers in a cycle while all else goes on.
L2_BYTES = 32
# Cycles that a pixel of a stage ends with, and those of each vector: bias, activation, store.
PIXEL_END = 4
VECTOR_END = 2


@dataclass(frozen=True)
class Product:
    """Tiles of `vectors` vectors of `lanes` sums, over a panel of `steps` steps of weights."""

    machine: Machine
    lanes: int
    vectors: int
    steps: int
    dtype: str = "float32"

    def step_cycles(self, columns: int) -> float:
        """Cycles of a step of a tile."""
        machine, vectors = self.machine, self.vectors
        multiply = columns * vectors * machine.fma_cycles(self.lanes)
        weights = vectors * machine.load_cycles(self.lanes)
        step_bytes = np.dtype(self.dtype).itemsize * self.lanes * vectors
        if step_bytes * self.steps > PANEL * machine.l1_bytes:
            weights = max(weights, step_bytes / L2_BYTES)
        load = columns * machine.load_cycles(1) + weights
        under_way = machine.fma_latency / machine.fma_cycles(self.lanes)
        scarce = max(0.0, 1 - (columns * vectors / under_way - 1) / (ENOUGH - 1))
        if scarce <= 1:
            multiply *= 1 + SCARCE * scarce
        return max(multiply, load, machine.fma_latency) + EXPOSED * min(multiply, load)

    def pixel_cycles(self, columns: int, width: int) -> float:
        """Cycles of a pixel: of `width` pixels cut into tiles, the last of them narrower."""
        full, rest = divmod(width, columns)
        row = full * self.step_cycles(columns) + (self.step_cycles(rest) if rest else 0)
        return self.steps * row / width + PIXEL_END + VECTOR_END * self.vectors


def product_tiles(
    vectors: int, width: int, machine: Machine, either: bool = False
) -> list[tuple[int, int]]:
    """Every (columns, vectors) whose sums, weights and broadcasts stay in the registers.

    Those are all weights of a step and one broadcast, or, where the schedule keeps `either`, all
    broadcasts and one vector of weights if broadcasts are fewer.
    """
    return [
        (columns, tile)
        for tile in range(1, vectors + 1)
        for columns in range(1, width + 1)
        if vectors % tile == 0 and _fits(columns, tile, machine, either)
    ]


def _fits(columns: int, vectors: int, machine: Machine, either: bool) -> bool:
    if vectors == 1 and not machine.broadcast_operands and 2 * columns > machine.registers:
        # A broadcast is an instruction of its own, and where each serves one sum only, the compiler
        # makes those of a step while it still adds up the step before: a register more a sum.
        return False
    kept = min(columns, vectors) if either and machine.memory_operands else vectors
    return columns * vectors + kept + 1 <= machine.registers
