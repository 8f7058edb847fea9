"""The machine that this runs on, as a target."""

import os
import platform
from dataclasses import replace
from pathlib import Path

import psutil
from tvm.target import codegen

from pipeline import processor
from pipeline.errors import RequestError
from pipeline.targets.arm import CORES, core_of
from pipeline.targets.target import Target
from pipeline.targets.x86 import AVX2, AVX512, TRIPLE, timed_like, without_others
from schedules.machine import Machine

KB = 1024
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def host() -> Target:
    """The machine that this runs on."""
    architecture = platform.machine()
    cpu = str(codegen.llvm_get_system_cpu())
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if architecture == "x86_64":
        return _x86(cpu, processor.features(), cores)
    if architecture in ("aarch64", "arm64"):
        return _aarch64(cpu, cores)
    raise RequestError(f"no schedules for {architecture} CPUs; served are x86-64 and aarch64")


def last_cache_bytes() -> int:
    """Size of the last cache before DRAM of this machine, as Linux tells it; else 0."""
    return max(_cache_bytes(level, 0) for level in range(1, 5))


def _x86(cpu: str, flags: frozenset[str], cores: int) -> Target:
    wide = {"avx512f", "avx512vl"} <= flags
    if not wide and not {"avx2", "fma"} <= flags:
        raise RequestError("this CPU has no AVX2 with FMA, which every x86-64 schedule here needs")
    machine = _with_caches(AVX512 if wide else AVX2, 32 * KB, cores)
    if cpu == "znver4":
        # It feeds 512-bit instructions through 256-bit units; later and Intel cores do not.
        machine = replace(machine, fma_lanes=16, load_lanes=16)
    features = ("avx512f", "avx512vl", "fma") if wide else ("avx2", "fma")
    # A virtual machine may hide what its CPU can do, and the name alone promises all of it.
    cpu = timed_like(cpu)
    return Target("host", TRIPLE, cpu, features, machine, without_others(cpu, flags))


def _aarch64(cpu: str, cores: int) -> Target:
    """With big and little cores, the fastest kind there is: it is where the work runs."""
    fields = processor.fields("CPU implementer"), processor.fields("CPU part")
    numbers = {(int(i, 16), int(p, 16)) for i, p in zip(*fields, strict=True)}
    found = [core for core in (core_of(*number) for number in numbers) if core is not None]
    half = processor.features() >= {"fphp", "asimdhp"}
    features = ("neon", "fullfp16") if half else ("neon",)
    if not found:
        machine = replace(CORES["cortex-a76"].machine, name="neon")
        machine = _with_caches(machine, 64 * KB, cores)
        return Target("host", "aarch64-linux-gnu", cpu, features, machine, has_half=half)
    core = max(found, key=lambda one: (one.fma_lanes, one.load_lanes, one.name))
    machine = _with_caches(core.machine, 64 * KB, cores)
    return Target(
        "host", "aarch64-linux-gnu", core.cpu or core.name, features, machine, core.attributes, half
    )


def _with_caches(machine: Machine, l1_bytes: int, cores: int) -> Machine:
    """The core with the caches that Linux tells of; else a first one of so many bytes."""
    l1, l2, l3 = _cache_bytes(1, l1_bytes), _cache_bytes(2, 512 * KB), _cache_bytes(3, 0)
    return replace(machine, l1_bytes=l1, l2_bytes=l2, l3_bytes=l3, cores=cores)


def _cache_bytes(level: int, otherwise: int) -> int:
    """Size of a data cache of the first CPU as Linux tells it."""
    for index in sorted(CACHES.glob("index*")):
        values = [(index / name).read_text().strip() for name in ("level", "type", "size")]
        if values[0] == str(level) and values[1] != "Instruction":
            return int(values[2].removesuffix("K")) * KB
    return otherwise
