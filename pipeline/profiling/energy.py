"""An estimate of the energy of an inference.

For a 45 nm process (Horowitz 2014) a 32-bit word read from an on-chip cache takes 5 pJ, from DRAM
640 pJ, a floating-point operation 0.9 pJ. A chip of today needs less of each; what the estimate
shows is which of the three counts.
"""

from dataclasses import dataclass

WORD_BYTES = 4
CACHE_PJ_A_WORD = 5.0
DRAM_PJ_A_WORD = 640.0
FLOP_PJ = 0.9
FLOPS_A_MAC = 2
PJ_A_UJ = 1e6


@dataclass(frozen=True)
class Energy:
    """Microjoules by where they go."""

    cache_uj: float
    dram_uj: float
    arithmetic_uj: float

    @property
    def total_uj(self) -> float:
        """All of it."""
        return self.cache_uj + self.dram_uj + self.arithmetic_uj


def energy(macs: int, register_bytes: int, dram_bytes: int) -> Energy:
    """Of so many multiply-adds, bytes between cache and registers, and bytes from DRAM."""
    return Energy(
        cache_uj=register_bytes / WORD_BYTES * CACHE_PJ_A_WORD / PJ_A_UJ,
        dram_uj=dram_bytes / WORD_BYTES * DRAM_PJ_A_WORD / PJ_A_UJ,
        arithmetic_uj=macs * FLOPS_A_MAC * FLOP_PJ / PJ_A_UJ,
    )
