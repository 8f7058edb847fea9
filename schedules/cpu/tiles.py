"""The numbers of a whole kernel: how its stages share strips, and each stage's tile.

By hand they follow from the machine record. Cores share strips of rows, unless those are so few
that they cannot be dealt out evenly: then cores share the pixels of each stage, or, where weights
are much more than a core's cache holds, the channels, so that no core needs all weights.
"""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from schedules.cpu.border import Border
from schedules.cpu.convolution import Convolution
from schedules.cpu.convolution_strips import hand_strip_rows
from schedules.cpu.halo import Ring
from schedules.cpu.kernel import Kernel
from schedules.cpu.operators import operator
from schedules.cpu.overlap import divided, steps_of
from schedules.cpu.products import L2_BYTES
from schedules.cpu.sharing import Sharing
from schedules.cpu.shuffled_reads import unused_bytes
from schedules.machine import Machine

# Strips that leave a core idle for more than this share of the time are not dealt out evenly.
IDLE = 0.08
# A strip below this many cycles is not worth the hand-over to another core.
SHORTEST_STRIP = 4000
# Bytes that a cache beyond the second delivers in a cycle, and the shares of what is delivered that
# multiply-adds wait for: of weights, which a strip needs all at once, and of pixels, which come in
# order. Measured with the kernels of ShuffleNet 1.0x in 3 groups and MobileNet 1.0, alone.
FAR_BYTES = 12
WAITING = 0.2
WAITING_IN_ORDER = 0.05
# How much longer a kernel takes whose last strip has fewer rows: it ends in tiles with a condition
# for every pixel of every step. Measured on a Xeon, MobileNet 1.0 at 720x1280: kernels of 23 and 45
# rows take 3 to 19 % less with strips of one row, which divide them, than with any that do not.
TORN = 0.1
# Weights of so many second-level caches are dealt out among cores. Measured with two threads on Zen
# 3 of 512 KB a core, pixels against channels: MobileNet 1.0 from 14 x 14 on, of 2.1 MB, takes 466
# and 422 us, and at 7 x 7, of 4.2 MB, 917 and 810; ShuffleNet 2.0x at 7 x 7, of 2.4 MB, 564 and
# 548, but from 14 x 14 on, of 1.8 MB, 445 and 468, and MobileNet 0.5 at 7 x 7, of 1.1 MB, 210 and
# 224.
HEAVY = 4
# Rows; beyond this no frame of a strip stays in any cache.
TALLEST_STRIP = 64


@dataclass(frozen=True)
class KernelTile:
    """`strip_rows` rows a strip, how cores share the kernel, and the tile of each stage."""

    strip_rows: int
    sharing: Sharing
    stages: tuple[Any, ...]


def hand_tile(kernel: Kernel, machine: Machine) -> KernelTile:
    """The tile that counts of cycles and bytes find best."""
    rows, sharing = strips(kernel, machine)
    made = kernel.in_strips(rows, steps_of(rows))
    tiles = tuple(operator(s.work).hand_tiles(s.work, machine, rows)[0] for s in made.stages)
    return KernelTile(rows, sharing, tiles)


def with_strips(tile: Any, strip_rows: int) -> Any:
    """A stage's tile for strips of another height."""
    return replace(tile, strip_rows=strip_rows)


def strips(kernel: Kernel, machine: Machine) -> tuple[int, Sharing]:
    """Rows a strip, and how cores share the kernel."""
    works = _works(kernel)
    if isinstance(works[0], Convolution):
        return hand_strip_rows(works[0], machine), "strips"
    rows = kernel.rows
    best = min(_heights(kernel), key=lambda height: _cost(kernel, machine, height))
    if kernel.overlaps or machine.cores == 1 or _idle(rows, best, machine.cores) <= IDLE:
        return best, "strips"
    heavy = _weights(kernel) > HEAVY * machine.l2_bytes
    return rows, "stages" if heavy or len(works) == 1 else "pixels"


def strip_choices(kernel: Kernel, machine: Machine) -> list[tuple[int, Sharing]]:
    """What is worth measuring: even divisions of the rows, and what else cores may share."""
    rows = kernel.rows
    heights = [height for height in range(1, rows + 1) if rows % height == 0]
    choices: list[tuple[int, Sharing]] = [
        (height, "strips")
        for height in heights
        if rows // height >= machine.cores and fits(kernel, height, "strips")
    ]
    others: list[tuple[int, Sharing]] = [(height, "stages") for height in heights[-2:]]
    if len(_works(kernel)) > 1:
        others = [] if kernel.overlaps else [(rows, "pixels")]
        if not kernel.overlaps and _weights(kernel) > machine.l2_bytes:
            others.append((rows, "stages"))
    if kernel.overlaps:
        # The lowest strips make most rows twice.
        choices = choices[::-1]
    return list(dict.fromkeys([strips(kernel, machine), *choices[:6], *others]))


def fits(kernel: Kernel, strip_rows: int, sharing: Sharing) -> bool:
    """Whether a kernel can be cut so."""
    if not 1 <= strip_rows <= kernel.rows:
        return False
    if sharing == "pixels" and strip_rows != kernel.rows:
        return False
    if kernel.overlaps and (sharing != "strips" or kernel.rows % strip_rows):
        return False
    steps = steps_of(strip_rows) if kernel.overlaps else 1
    made = kernel.in_strips(strip_rows, steps).stages
    return all(divided(stage, strip_rows, steps) for stage in made)


def _works(kernel: Kernel) -> list[Any]:
    return [stage.work for stage in kernel.stages if type(stage.work) is not Border]


def _weights(kernel: Kernel) -> int:
    """Bytes of all constants."""
    return sum(sum(stage.constant_bytes.values()) for stage in kernel.stages)


def _heights(kernel: Kernel) -> list[int]:
    """The strips worth thinking of; always one that fits."""
    tallest = min(kernel.rows, TALLEST_STRIP)
    return [height for height in range(1, tallest + 1) if fits(kernel, height, "strips")]


def _idle(rows: int, height: int, cores: int) -> float:
    """The share of the cores' time in which they have no strip."""
    turns = ceil(ceil(rows / height) / cores)
    return 1 - rows / (turns * height * cores)


def _cost(kernel: Kernel, machine: Machine, height: int) -> float:
    """Cycles of a core with strips of that height, over those with no loss at all.

    A strip reads all weights anew, from the second-level cache at best, and its rows, which come
    from further away where they do not stay there; a core that waits for the others loses its
    share. What passes over shuffled pixels bring from the second-level cache and do not use, they
    wait for. Strips that do not divide the rows end in slow tiles.
    """
    rows = kernel.rows
    compute = max(kernel.macs, 1) / machine.fma_lanes / rows * height
    weights = _weights(kernel)
    steps = steps_of(height) if kernel.overlaps else 1
    made = kernel.in_strips(height, steps)
    # All of a ring, and of what passes through a strip the rows of a step.
    working = sum(
        frame.bytes / (frame.halo.strips if isinstance(frame, Ring) else rows / height * steps)
        for frame in made.frames.values()
    )
    near = weights + working < machine.l2_bytes
    reload = weights / (L2_BYTES if near else FAR_BYTES)
    spill = working / FAR_BYTES if working > machine.l2_bytes / 2 else 0.0
    waiting = (WAITING * reload + WAITING_IN_ORDER * spill) / compute
    unused = steps * sum(unused_bytes(s.work, machine, height // steps) for s in kernel.stages)
    waiting += unused / (L2_BYTES * compute)
    small = SHORTEST_STRIP / (SHORTEST_STRIP + compute)
    idle = _idle(rows, height, machine.cores)
    # What strips that overlap make once more than needed.
    twice = made.macs / max(kernel.macs, 1) - 1 if kernel.overlaps else 0.0
    torn = TORN if rows % height else 0.0
    return (1 + waiting + 0.05 * small + twice + torn) / (1 - idle)
