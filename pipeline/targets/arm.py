"""ARM cores by name, as targets: what their makers publish of each.

A Machine counts float32: lanes of a vector, multiply-adds a cycle, values loaded a cycle. Cache
sizes are the smallest that are common, so that what is meant to stay in a cache does so on every
chip with that core.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from tvm.target import codegen

from pipeline.errors import RequestError
from pipeline.targets.target import Target
from schedules.machine import Machine

KB = 1024
TRIPLES = {
    ("aarch64", "linux"): "aarch64-linux-gnu",
    ("aarch64", "android"): "aarch64-linux-android",
    ("armv7a", "linux"): "armv7a-linux-gnueabihf",
    ("armv7a", "android"): "armv7a-linux-androideabi",
}
SYSTEMS = ("linux", "android")
# What a phone or a board has of one kind; servers have more, and as many threads are asked for.
CLUSTER = 4


@dataclass(frozen=True)
class Core:
    """A kind of core. `parts` are (implementer, part) of its MIDR register, as in
    /proc/cpuinfo; `attributes` and `cpu` are the compiler's words."""

    name: str
    fma_lanes: int
    load_lanes: int
    l1_kb: int
    l2_kb: int
    has_half: bool
    parts: tuple[tuple[int, int], ...]
    fma_latency: int = 4
    cpu: str = ""
    attributes: tuple[str, ...] = ()
    architecture: str = "aarch64"
    registers: int = 32

    @property
    def machine(self) -> Machine:
        """What the schedules know of it."""
        return Machine(
            self.name,
            4,
            self.registers,
            self.fma_lanes,
            self.load_lanes,
            self.l1_kb * KB,
            self.l2_kb * KB,
            CLUSTER,
            self.fma_latency,
            memory_operands=False,
            lane_factor=self.architecture == "aarch64",
        )


ARM, QUALCOMM, APPLE = 0x41, 0x51, 0x61

# By age. Latencies are those of an accumulation that waits for the one before it.
CORES = {
    core.name: core
    for core in (
        Core("cortex-a53", 4, 2, 32, 256, False, ((ARM, 0xD03),), 8),
        Core("cortex-a55", 4, 2, 32, 128, True, ((ARM, 0xD05),), 4),
        Core("cortex-a57", 4, 4, 32, 1024, False, ((ARM, 0xD07),), 5),
        Core("cortex-a72", 4, 4, 32, 512, False, ((ARM, 0xD08),), 4),
        Core("cortex-a73", 4, 4, 32, 1024, False, ((ARM, 0xD09),), 4),
        Core("cortex-a75", 4, 8, 64, 256, True, ((ARM, 0xD0A),), 4),
        Core("cortex-a76", 8, 8, 64, 256, True, ((ARM, 0xD0B),), 4),
        Core("cortex-a78", 8, 8, 32, 256, True, ((ARM, 0xD41),), 4),
        Core("cortex-x1", 16, 12, 64, 512, True, ((ARM, 0xD44),), 4),
        Core("kryo", 4, 4, 24, 512, False, ((QUALCOMM, 0x201), (QUALCOMM, 0x205)), 5),
        Core("neoverse-n1", 8, 8, 64, 512, True, ((ARM, 0xD0C),), 4),
        # Its scalable vectors are left alone: the schedules are written for 128 bits.
        Core(
            "neoverse-v1", 16, 12, 64, 1024, True, ((ARM, 0xD40),), 4, attributes=("-sve",)
        ),
        Core("apple-m1", 16, 12, 128, 4096, True, ((APPLE, 0x022), (APPLE, 0x023)), 4),
        # Any 32-bit core with NEON and VFPv4, whose half-rate units the Cortex-A7 stands for.
        Core(
            "armv7a", 2, 2, 32, 128, False, ((ARM, 0xC07),), 8, "cortex-a7", (), "armv7a", 16
        ),
    )
}  # fmt: skip


def arm(name: str, system: str) -> Target:
    """A core of `CORES` under "linux" or "android"."""
    core = CORES[name]
    if system not in SYSTEMS:
        raise RequestError(f"unknown system {system!r}; known: {', '.join(SYSTEMS)}")
    triple = TRIPLES[core.architecture, system]
    features = ("neon", "fullfp16") if core.has_half else ("neon",)
    if core.architecture == "armv7a":
        features = ("neon", "vfp4")
    return Target(
        name,
        triple,
        core.cpu or name,
        features,
        core.machine,
        core.attributes,
        core.has_half,
    )


def core_of(implementer: int, part: int) -> Core | None:
    """The core with these numbers in its MIDR register."""
    return next((c for c in CORES.values() if (implementer, part) in c.parts), None)


def cores_with(architecture: str, features: Sequence[str]) -> list[str]:
    """The cores that have all of these features, in the compiler's words."""
    return [
        core.name
        for core in CORES.values()
        if core.architecture == architecture and set(features) <= _features(core)
    ]


def in_half(target: Target) -> Target:
    """The same device with float16 arithmetic; RequestError where it has none.

    A vector holds twice as many, and a cycle multiplies, adds and loads twice as many.
    """
    if not target.has_half:
        able = ", ".join(core.name for core in CORES.values() if core.has_half)
        raise RequestError(f"{target.name} has no float16 arithmetic; these have: {able}")
    return dataclasses.replace(target, machine=target.machine.resized(2), dtype="float16")


def _features(core: Core) -> set[str]:
    """All that the compiler may use of a core."""
    return {str(name) for name in codegen.llvm_get_cpu_features(arm(core.name, "linux").tvm)}
