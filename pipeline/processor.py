"""What a CPU can do, and what compiled code needs of it, in the words of /proc/cpuinfo.

Code that asks for more than the CPU has ends the process with an illegal instruction, so a bundle
is compared with the machine before anything in it is loaded.
"""

import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.errors import RequestError

CPUINFO = Path("/proc/cpuinfo")
# The line of the features, by architecture.
FEATURE_LINES = {"x86_64": "flags", "aarch64": "Features", "armv7a": "Features"}
ARCHITECTURES = {"arm64": "aarch64", "amd64": "x86_64", "armv7l": "armv7a", "armv8l": "armv7a"}
# Linux's names where they are not those of the compiler.
LINUX_NAMES = {
    "aarch64": {
        "neon": "asimd",
        "fullfp16": "asimdhp",
        "dotprod": "asimddp",
        "lse": "atomics",
        "rdm": "asimdrdm",
        "rcpc": "lrcpc",
    },
    "armv7a": {"vfp4": "vfpv4"},
    "x86_64": {"bmi": "bmi1", "lzcnt": "abm", "pclmul": "pclmulqdq"},
}
# What instructions of compiled loops come from on x86-64, in the compiler's words: beginnings.
CODE_FEATURES = ("avx", "bmi", "f16c", "fma", "gfni", "lzcnt", "movbe", "popcnt", "xop")


def architecture(name: str = "") -> str:
    """One name for an instruction set; without an argument that of this machine."""
    name = name or platform.machine()
    return ARCHITECTURES.get(name, name)


def features() -> frozenset[str]:
    """The features of the first CPU of this machine."""
    lines = fields(FEATURE_LINES.get(architecture(), "flags"))
    return frozenset(lines[0].split()) if lines else frozenset()


def fields(name: str) -> list[str]:
    """A field of every CPU, as in the lines `name : value`."""
    text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    lines = [line.partition(":") for line in text.splitlines()]
    return [value.strip() for key, _, value in lines if key.strip() == name]


def needed_features(stated: Sequence[str], compiler: Iterable[str]) -> list[str]:
    """What code may use that was compiled for this machine.

    `stated` are the features that a target asks for, `compiler` those that the compiler takes
    from the CPU's name, in its own spelling (avx512bitalg for avx512_bitalg).
    """
    spelt = {_plain(name) for name in linux_names(architecture(), compiler)}
    used = {name for name in features() if _plain(name) in spelt}
    return sorted(used | set(linux_names(architecture(), stated)))


def lacking(kind: str, stated: Sequence[str]) -> list[str]:
    """What this machine lacks of features that are stated in the compiler's words: all of them, if
    they are of another architecture."""
    here = features() if kind == architecture() else frozenset()
    return sorted(set(linux_names(kind, stated)) - here)


def hidden_features(compiler: Iterable[str], present: Iterable[str]) -> list[str]:
    """What the compiler takes from the name of an x86-64 CPU (`compiler`, in its own spelling) and
    compiled loops could use, though the CPU does not show it: it is not among those `present`."""
    spelt = {_plain(name) for name in present}
    names = LINUX_NAMES["x86_64"]
    return sorted(
        name
        for name in compiler
        if name.startswith(CODE_FEATURES) and _plain(names.get(name, name)) not in spelt
    )


def linux_names(kind: str, compiler: Iterable[str]) -> list[str]:
    """The names of features in /proc/cpuinfo of an architecture."""
    names = LINUX_NAMES.get(kind, {})
    return sorted({names.get(name, name) for name in compiler})


def require_machine(architecture_needed: str, features_needed: Sequence[str]) -> None:
    """RequestError unless this machine can run code for that architecture and those features."""
    if architecture_needed != architecture():
        raise RequestError(
            f"the bundle is for {architecture_needed} and this machine is {architecture()}; "
            "compile the model here, or take the bundle to such a machine"
        )
    missing = sorted(set(features_needed) - features())
    if missing:
        raise RequestError(
            f"the bundle needs {', '.join(missing)}, which this CPU lacks; "
            "compile the model on this machine"
        )


def require_target(architecture_needed: str, name: str, stated: Sequence[str]) -> None:
    """RequestError unless code for a target of these features runs on this machine at all."""
    if architecture_needed != architecture():
        raise RequestError(
            f"{name} is {architecture_needed} and this machine is {architecture()}; what is "
            f"compiled for it runs here under --target host only, or on a device with verify"
        )
    missing = lacking(architecture_needed, stated)
    if missing:
        raise RequestError(
            f"{name} needs {', '.join(missing)}, which this CPU lacks; what runs here is compiled "
            "with --target host"
        )


def _plain(name: str) -> str:
    return "".join(letter for letter in name if letter.isalnum())
