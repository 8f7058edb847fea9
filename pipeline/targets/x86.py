"""x86-64 CPUs by the levels of their psABI, as targets: code for machines other than this one.

A Machine counts float32, as in arm.py; cache sizes are again the smallest that are common with
that level.
"""

from collections.abc import Iterable

from tvm.target import Target as TvmTarget
from tvm.target import codegen

from pipeline.processor import hidden_features, linux_names
from pipeline.targets.target import Target
from schedules.machine import Machine

KB = 1024
TRIPLE = "x86_64-linux-gnu"
# As many threads as are asked for; this is what a small laptop or a cloud's small machine has.
CORES = 4

AVX2 = Machine("avx2", 8, 16, 16, 16, 32 * KB, 256 * KB, CORES)
AVX512 = Machine("avx512", 16, 32, 32, 32, 32 * KB, 1024 * KB, CORES)

# https://gitlab.com/x86-psABIs/x86-64-ABI: level 3 is Haswell's and Zen's, level 4 Skylake-SP's.
V3 = ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt")
V4 = (*V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")
LEVELS = {"x86-64-v3": (V3, AVX2), "x86-64-v4": (V4, AVX512)}

# What the compiler believes of the timing of these makes it load so early that sums go to the
# stack. Measured on an Emerald Rapids, ShuffleNet 1.0x g=3 takes 1.08 to 1.25 times as long.
HASTY = frozenset(
    {"x86-64-v4", "skylake-avx512", "cascadelake", "cooperlake", "cannonlake", "icelake-client",
     "icelake-server", "tigerlake", "rocketlake"}
)  # fmt: skip
TIMED = "sapphirerapids"


def x86(name: str) -> Target:
    """A level of `LEVELS` under Linux."""
    features, machine = LEVELS[name]
    cpu = timed_like(name)
    others = without_others(cpu, linux_names("x86_64", features))
    return Target(name, TRIPLE, cpu, features, machine, others)


def timed_like(cpu: str) -> str:
    """The CPU whose name the compiler is given for code for that one."""
    return TIMED if cpu in HASTY else cpu


def without_others(cpu: str, present: Iterable[str]) -> tuple[str, ...]:
    """Attributes that turn off what the name promises beyond the features of /proc/cpuinfo."""
    promised = codegen.llvm_get_cpu_features(
        TvmTarget({"kind": "llvm", "mtriple": TRIPLE, "mcpu": cpu})
    )
    return tuple(f"-{name}" for name in hidden_features(promised, present))
