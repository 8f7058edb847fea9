"""What a schedule has to know of a GPU. A Jetson against a data-centre card is a difference of
records."""

from dataclasses import dataclass
from math import ceil

WARP = 32
# What a block can have without asking for more, on every architecture.
BLOCK_SHARED_BYTES = 48 * 1024
MULTIPROCESSOR_REGISTERS = 65536
MOST_THREADS = 1024
# Warps of a multiprocessor that hide latencies: 64 bytes a cycle from the second-level cache and
# some 250 cycles for each load are 16 KB under way, which are three loads of 128 bits of each
# thread of so many warps; the multiply-adds of a thread are independent in fours at least.
ENOUGH_WARPS = 12


@dataclass(frozen=True)
class Gpu:
    """One GPU. `architecture` is its compute capability times ten (90 for sm_90).

    `lanes` are the float32 multiply-adds that a multiprocessor starts in a cycle, `shared_bytes`,
    `threads` and `most_blocks` what it holds of all its blocks, `bandwidth` bytes a second of
    device memory. `matrix_macs` are the multiply-adds a second of its tensor cores, of float16 with
    sums in float32; 0 where it has none.
    """

    name: str
    architecture: int
    multiprocessors: int
    lanes: int
    clock_hz: float
    shared_bytes: int
    threads: int
    bandwidth: float
    l2_bytes: int
    most_blocks: int
    matrix_macs: float = 0

    @property
    def matrix_lanes(self) -> float:
        """Those that a multiprocessor starts in a cycle."""
        return self.matrix_macs / self.multiprocessors / self.clock_hz

    @property
    def peak_macs(self) -> float:
        """Float32 multiply-adds a second."""
        return self.multiprocessors * self.lanes * self.clock_hz

    def peak(self, dtype: str) -> float:
        """Multiply-adds a second of the fastest unit for values of this type."""
        return max(self.peak_macs, self.matrix_macs) if dtype == "float16" else self.peak_macs

    def starved(self, blocks: int, threads: int, shared_bytes: int, registers: int) -> bool:
        """Whether shared memory or registers keep a multiprocessor from holding as many blocks of a
        grid as there are for it, and as many warps as hide latencies."""
        held = self.resident_blocks(threads, shared_bytes, registers)
        given = ceil(blocks / self.multiprocessors)
        return held < given and held * ceil(threads / WARP) < ENOUGH_WARPS

    def resident_blocks(self, threads: int, shared_bytes: int, registers: int = 0) -> int:
        """Blocks that a multiprocessor runs at once, as threads, shared memory, registers allow."""
        limits = [self.threads // threads, self.most_blocks]
        if shared_bytes:
            limits.append(self.shared_bytes // (shared_bytes + 1024))  # 1 KB is the system's
        if registers:
            # Registers are dealt out to warps in units of 256.
            warp = -(-registers * WARP // 256) * 256
            limits.append(MULTIPROCESSOR_REGISTERS // (warp * -(-threads // WARP)))
        return min(limits)
