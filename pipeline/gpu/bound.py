"""The time that a kernel cannot be faster than, by a model of the GPU.

    seconds = max(multiply-adds / peak, device bytes / bandwidth, L2 bytes / L2 bandwidth)
    network = sum over calls of seconds + calls x launch

The peak is that of the units that are used, tensor cores or lanes of float32; both go on at once.
Every tensor and weight is moved once between device memory and the chip, as if nothing lay in a
cache before; L2 bytes are what all blocks ask for, halos and repeated weights included.
"""

from dataclasses import dataclass
from typing import Any

from pipeline.gpu.launch import LAUNCH_SECONDS
from schedules.cuda import traffic
from schedules.cuda.chain import Chain
from schedules.cuda.operators import Work, signature
from schedules.cuda.tiles import L2_BYTES
from schedules.cuda.traffic import blocks, steps
from schedules.gpu import Gpu

FORMULA = (
    "modelled bound = sum over kernels of max(multiply-adds / peak of their units, "
    f"device bytes / bandwidth, L2 bytes / ({L2_BYTES} B x multiprocessors x clock)) + kernels x "
    f"{LAUNCH_SECONDS * 1e6:.1f} us launch; nothing cached before; not a measurement"
)


@dataclass(frozen=True)
class Bound:
    """The seconds that arithmetic, device memory and second-level cache take at least, and the
    bytes behind them."""

    arithmetic: float
    device: float
    l2: float
    device_bytes: int
    l2_bytes: int

    @property
    def seconds(self) -> float:
        """Of one call without its launch."""
        return max(self.arithmetic, self.device, self.l2)

    @property
    def limit(self) -> str:
        """What the bound comes from."""
        times = {"arithmetic": self.arithmetic, "device memory": self.device, "L2": self.l2}
        return max(times, key=times.__getitem__)


def bound_of(work: Work, tile: Any, gpu: Gpu) -> Bound:
    """The bound of one call of a kernel."""
    moved = device_bytes(work)
    asked = l2_bytes(work, tile)
    l2_bandwidth = L2_BYTES * gpu.multiprocessors * gpu.clock_hz
    return Bound(_arithmetic(work, gpu), moved / gpu.bandwidth, asked / l2_bandwidth, moved, asked)


def _arithmetic(work: Work, gpu: Gpu) -> float:
    """Seconds of the multiply-adds; those of tensor cores go on beside others."""
    if isinstance(work, Chain) and work.matrices:
        others = work.macs - work.product_macs
        return max(work.product_macs / gpu.matrix_macs, others / gpu.peak_macs)
    return work.macs / gpu.peak_macs


def device_bytes(work: Work) -> int:
    """Bytes of every tensor and constant, once."""
    if isinstance(work, Chain):
        return traffic.device_bytes(work)
    own = signature(work)
    groups = (own.inputs, own.constants, own.outputs)
    return sum(one.bytes for group in groups for one in group.values())


def l2_bytes(work: Work, tile: Any) -> int:
    """Bytes that all blocks ask the second-level cache for, and what they write."""
    if not isinstance(work, Chain):
        return device_bytes(work)
    written = sum(one.bytes for one in signature(work).outputs.values())
    asked = sum(step.bytes for step in steps(work, tile))
    return int(blocks(work, tile) * asked) + written
