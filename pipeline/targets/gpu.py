"""NVIDIA GPUs by name, as targets: what their maker publishes of each.

Shared memory, threads and blocks of a multiprocessor are those of the table of compute
capabilities in NVIDIA's "CUDA C++ Programming Guide"; multiprocessors, clock and bandwidth those
of the whitepapers and data sheets of the card that the record names. So are the tensor cores' rates
for float16 summed in float32, of matrices that are not sparse: half of the published operations are
multiply-adds. GeForce cards sum in float32 at half the rate at which they sum in float16. That of
the Jetson is a quarter of the operations that its brief states for its GPU with sparse 8-bit
integers, as sparsity and 8 bits double it each.
"""

from dataclasses import dataclass

from tvm.target import Target as TvmTarget

from pipeline.processor import architecture
from pipeline.targets.target import Target
from schedules.gpu import Gpu
from schedules.machine import Machine

KB, MB = 1024, 2**20
LOCAL = "cuda"
GPUS = {
    gpu.name: gpu
    for gpu in (
        # Tesla T4, "NVIDIA Turing GPU Architecture".
        Gpu("t4", 75, 40, 64, 1.59e9, 64 * KB, 1024, 320e9, 4 * MB, 16, 65e12 / 2),
        # A100 of 40 GB as SXM4, "NVIDIA A100 Tensor Core GPU Architecture".
        Gpu("a100", 80, 108, 64, 1.41e9, 164 * KB, 2048, 1555e9, 40 * MB, 32, 312e12 / 2),
        # Jetson AGX Orin of 64 GB, "NVIDIA Jetson AGX Orin Series Technical Brief".
        Gpu("jetson-orin", 87, 16, 128, 1.3e9, 164 * KB, 1536, 204.8e9, 4 * MB, 16, 42.5e12 / 2),
        # GeForce RTX 4090, "NVIDIA Ada GPU Architecture".
        Gpu("ada", 89, 128, 128, 2.52e9, 100 * KB, 1536, 1008e9, 72 * MB, 24, 165.2e12 / 2),
        # H100 as SXM5, "NVIDIA H100 Tensor Core GPU Architecture".
        Gpu("h100", 90, 132, 128, 1.98e9, 228 * KB, 2048, 3.35e12, 50 * MB, 32, 989.4e12 / 2),
        # GeForce RTX 5090, "NVIDIA RTX Blackwell GPU Architecture".
        Gpu("blackwell", 120, 170, 128, 2.41e9, 100 * KB, 1536, 1792e9, 96 * MB, 24, 209.5e12 / 2),
    )
}
# Computers on a module, whose CPU is an ARM one.
JETSONS = ("jetson-orin",)
# The first that launches a kernel while the one before it still runs.
EARLY_LAUNCHES = 90
CPUS = {"x86_64": ("x86_64-linux-gnu", "x86-64"), "aarch64": ("aarch64-linux-gnu", "generic")}
# Host code only checks arguments and launches kernels, so any CPU of the architecture will do.
HOST = Machine("any", 4, 16, 8, 8, 32 * KB, 256 * KB)


@dataclass(frozen=True)
class GpuTarget:
    """A GPU, the others for which the same bundle has code, the CPU beside it, and the type of
    weights and activations; sums are float32."""

    gpu: Gpu
    host: Target
    also: tuple[Gpu, ...] = ()
    dtype: str = "float32"

    @property
    def name(self) -> str:
        """The names of all its GPUs."""
        return ",".join(gpu.name for gpu in (self.gpu, *self.also))

    @property
    def architectures(self) -> tuple[int, ...]:
        """The architectures that code is made for, each once."""
        return tuple(dict.fromkeys(gpu.architecture for gpu in (self.gpu, *self.also)))

    @property
    def launches_early(self) -> bool:
        """Whether every one of its GPUs launches a kernel while the one before it still runs."""
        return min(self.architectures) >= EARLY_LAUNCHES

    @property
    def family(self) -> str:
        """The name of the tuning records: tiles are chosen for the first GPU."""
        family = f"sm{self.gpu.architecture}-{self.gpu.name}"
        return family if self.dtype == "float32" else f"{family}-{self.dtype}"

    @property
    def tvm(self) -> TvmTarget:
        """The target of the compiler; it makes source, which no architecture changes."""
        arch = f"sm_{self.gpu.architecture}"
        return TvmTarget({"kind": "cuda", "arch": arch}, host=self.host.tvm)


def host_of(gpu: Gpu) -> Target:
    """The CPU beside a GPU: ARM in a Jetson, else one like that of this machine."""
    triple, cpu = CPUS["aarch64" if gpu.name in JETSONS else architecture()]
    return Target(f"the host of {gpu.name}", triple, cpu, (), HOST)
