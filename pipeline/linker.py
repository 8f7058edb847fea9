"""Linkers: the C compiler of this machine for its own code, zig for other, or one of the user's.

zig comes as a Python package and brings the C libraries of Linux; it has none of Android's, and
code for Android is linked without any.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pipeline.errors import RequestError, WorkFailedError
from pipeline.processor import architecture, lacking
from pipeline.targets import Target

PROGRAMS = ("cc", "gcc", "clang", "g++", "c++")
REMEDY = "install one, for example with: apt-get install gcc libc6-dev"
CROSS_REMEDY = "install it with: pip install 'shufflenet-tvm[arm]', or name one with --linker"
# The oldest C library that the runtime's own package asks for.
ZIG_TARGETS = {
    "x86_64-linux-gnu": "x86_64-linux-gnu.2.28",
    "aarch64-linux-gnu": "aarch64-linux-gnu.2.28",
    "aarch64-linux-android": "aarch64-linux-gnu.2.28",
    "armv7a-linux-gnueabihf": "arm-linux-gnueabihf.2.28",
    "armv7a-linux-androideabi": "arm-linux-gnueabi.2.28",
}
# Android 15 and later may have pages of this size, and load no library with smaller segments.
ANDROID_PAGE = 16384
SECONDS = 120


@dataclass(frozen=True)
class Linker:
    """A command that makes a shared library when it is given `-o`, a path and object files."""

    command: tuple[str, ...]

    def link(self, output: Any, objects: Sequence[str], **_: Any) -> None:
        """Make the library; WorkFailedError with the linker's last word if it fails."""
        command = [*self.command, "-o", str(output), *objects]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        except (OSError, subprocess.SubprocessError) as error:
            raise WorkFailedError(f"linking with {self.command[0]} failed: {error}") from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
            raise WorkFailedError(f"linking with {self.command[0]} failed: {last}")


def linker_for(target: Target, chosen: Path | None = None) -> Linker:
    """What links code for a target; `chosen` is a compiler of the user's, as that of an NDK.

    RequestError if there is none, with what to install.
    """
    if chosen is not None:
        path = shutil.which(chosen)
        if path is None:
            raise RequestError(
                f"no program {chosen}; give the path of a C compiler for {target.triple}"
            )
        return Linker((path, *_flags(target)))
    if is_native(target):
        return Linker((require_linker(), "-shared", "-fPIC"))
    if find_spec("ziglang") is None:
        raise RequestError(f"no linker for {target.triple}: ziglang is missing; {CROSS_REMEDY}")
    zig = (sys.executable, "-m", "ziglang", "cc", "-target", ZIG_TARGETS[target.triple])
    # Without Android's C library, memset and expf come from the compiler's own.
    alone = ("-nostdlib", "-rtlib=compiler-rt") if target.android else ()
    return Linker((*zig, *_flags(target), *alone))


def object_linker_for(target: Target) -> Linker:
    """What links a kernel alone, which needs no library: where that is enough, without a compiler.

    A compiler looks for its own libraries first, which takes longer than the linking.
    """
    direct = shutil.which("ld") if is_native(target) else None
    return Linker((direct, "-shared")) if direct else linker_for(target)


def is_native(target: Target) -> bool:
    """Whether this machine has the instruction set and the system of a target."""
    return target.architecture == architecture() and not target.android


def runs_here(target: Target) -> bool:
    """Whether this machine runs code for a target, whose CPU may have what this one lacks."""
    return is_native(target) and not lacking(target.architecture, target.features)


def find_linker() -> str | None:
    """The path of the first program that links for this machine."""
    found = (shutil.which(name) for name in PROGRAMS)
    return next((path for path in found if path), None)


def require_linker() -> str:
    """The same; RequestError if there is none."""
    linker = find_linker()
    if linker is None:
        raise RequestError(f"no C linker ({', '.join(PROGRAMS)}) on this machine; {REMEDY}")
    return linker


def _flags(target: Target) -> tuple[str, ...]:
    pages = (f"-Wl,-z,max-page-size={ANDROID_PAGE}",) if target.android else ()
    return ("-shared", "-fPIC", *pages)
