"""A program that runs the kernels of libraries for 32-bit ARM, under QEMU.

No runtime of TVM is packaged for these CPUs: `calls.c` is what a library asks of one, and calls its
kernels one after the other.
"""

import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tvm_ffi

from pipeline.linker import ZIG_TARGETS
from pipeline.targets.arm import TRIPLES

EMULATOR = "qemu-arm-static"
PLACE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "shufflenet-tvm/armv7a"
RELEASE = "bookworm"
# Debian's names of how floats are passed: in their own registers, and as Android does.
ARCHITECTURES = {"linux": "armhf", "android": "armel"}
SOURCE = Path(__file__).with_name("calls.c")
SECONDS = 600


@dataclass(frozen=True)
class Call:
    """A function of a library, and its arguments by their numbers."""

    function: str
    arguments: Sequence[int]


@dataclass(frozen=True)
class Runner:
    """The folder of a C library for the CPU, and the program."""

    root: Path
    program: Path

    def run(
        self, library: Path, tensors: Sequence[np.ndarray], calls: Sequence[Call], result: int
    ) -> np.ndarray:
        """A tensor as it is after all calls; CalledProcessError if one fails."""
        script, out = library.with_name("calls.bin"), library.with_name("out.bin")
        script.write_bytes(_script(tensors, calls, result))
        words = [EMULATOR, "-L", self.root, self.program, library.resolve(), script, out]
        subprocess.run([str(word) for word in words], check=True, timeout=SECONDS)
        return np.fromfile(out, "<f4").reshape(tensors[result].shape)


def make_runner(system: str, place: Path = PLACE) -> Runner:
    """Compile the program as for "linux" or "android", and fetch a C library if none is there."""
    place = place / system
    root, program = place / "root", place / "calls"
    place.mkdir(parents=True, exist_ok=True)
    if not (place / "made").exists():
        mirror = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
        command = ["mmdebstrap", "--quiet", f"--arch={ARCHITECTURES[system]}", "--variant=extract"]
        subprocess.run([*command, "--include=libc6", RELEASE, str(root), mirror], check=True)
        (place / "made").touch()
    headers = Path(tvm_ffi.__file__).parent / "include"
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target"]
    target = ZIG_TARGETS[TRIPLES["armv7a", system]]
    options = [
        "-O1",
        "-rdynamic",
        f"-I{headers}",
        str(SOURCE),
        "-ldl",
        "-lpthread",
        "-o",
        str(program),
    ]
    subprocess.run([*compiler, target, *options], check=True)
    return Runner(root, program)


def _script(tensors: Sequence[np.ndarray], calls: Sequence[Call], result: int) -> bytes:
    parts = [_numbers(len(tensors))]
    for tensor in tensors:
        parts += [_numbers(tensor.ndim, *tensor.shape), tensor.astype("<f4").tobytes()]
    parts.append(_numbers(len(calls)))
    for call in calls:
        name = call.function.encode()
        arguments = _numbers(len(call.arguments), *call.arguments)
        parts += [_numbers(len(name)), name, arguments]
    return b"".join([*parts, _numbers(result)])


def _numbers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)
