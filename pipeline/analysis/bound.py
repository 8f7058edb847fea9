"""The least time that a model of a core allows a network's code.

Every loop runs as fast as the model says when all data is at hand, and every tensor crosses once,
at the best rate of the level of memory that holds it. What comes on top in truth (misses, waiting
for the loop before, branches that are guessed wrong, threads) makes it longer, not shorter.
"""

from collections.abc import Iterable

from pipeline.analysis.counts import Counts
from pipeline.analysis.records import KernelFacts, Level
from schedules.machine import Machine

FORMULA = (
    "modelled bound = sum over kernel calls of max(sum over loops of runs x cycles of a turn, "
    "bytes / bytes a cycle of the cache that they fit) / clock"
)
# Bytes a cycle of one core, no less than any core served here: a line in two cycles from the
# second-level cache, and more from memory than a phone's has.
RATES: dict[Level, float] = {"L1": 64, "L2": 32, "memory": 16}


def level_of(size: int, machine: Machine) -> Level:
    """The first level of memory that holds so many bytes."""
    if size <= machine.l1_bytes:
        return "L1"
    return "L2" if size <= machine.l2_bytes else "memory"


def memory_cycles(size: int, machine: Machine) -> float:
    """Cycles in which so many bytes cross once."""
    return size / RATES[level_of(size, machine)]


def counted_cycles(counts: Counts, machine: Machine) -> float:
    """Cycles of a turn as far as counts tell: the units for multiply-adds and loads are busy."""
    loads = counts.loads * machine.load_cycles(machine.lanes)
    return max(counts.macs / machine.fma_lanes, loads)


def bound_ms(kernels: Iterable[KernelFacts], ghz: float) -> float:
    """The modelled bound of an inference."""
    return sum(kernel.calls * kernel.cycles for kernel in kernels) / ghz / 1e6
