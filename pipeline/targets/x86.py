"""x86-64 CPUs by the levels of their psABI, as targets: code for machines other than this one.

A Machine counts float32, as in arm.py; cache sizes are again the smallest that are common with
that level.
"""

from pipeline.targets.target import Target
from schedules.machine import Machine

KB = 1024
TRIPLE = "x86_64-linux-gnu"
# As many threads as are asked for; this is what a small laptop or a cloud's small machine has.
CORES = 4

AVX2 = Machine("avx2", 8, 16, 16, 16, 32 * KB, 256 * KB, CORES)
AVX512 = Machine("avx512", 16, 32, 32, 32, 32 * KB, 1024 * KB, CORES)

# https://gitlab.com/x86-psABIs/x86-64-ABI: level 3 is Haswell's and Zen's, level 4 Skylake-SP's.
V3 = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt")
V4 = (*V3, "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl")
LEVELS = {"x86-64-v3": (V3, AVX2), "x86-64-v4": (V4, AVX512)}


def x86(name: str) -> Target:
    """A level of `LEVELS` under Linux."""
    features, machine = LEVELS[name]
    return Target(name, TRIPLE, name, features, machine)
