"""Running the CUDA source of kernels on a CPU: the text that a GPU gets, compiled by zig.

PoCL has no float16, and no OpenCL has the instructions by which a warp multiplies matrices.
"""

import ctypes
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tvm
from numpy.typing import NDArray
from tvm.tirx import PrimFunc

from pipeline.compiling import compiling
from pipeline.engines.aligned import aligned
from pipeline.gpu.device_source import FIRST_KERNEL
from pipeline.gpu.package import device_module, keeping_source
from pipeline.targets import gpu_target

HEADER = Path(__file__).with_name("emulator.h")
KERNEL = re.compile(r"__launch_bounds__\((\d+)[^)]*\) (\w+)\(([^)]*)\) \{")
FAULTS = ("", "threads wait for ever", "threads are at different barriers", "a vector out of line")
SECONDS = 600

Array = NDArray[np.generic]


@dataclass(frozen=True)
class Kernel:
    """A kernel's parameters in order, and the threads of a block."""

    parameters: tuple[tuple[str, str], ...]
    threads: int


class Emulated:
    """The kernels of a CUDA source, compiled for this CPU."""

    def __init__(self, source: str) -> None:
        self.kernels = dict(_kernels(source))
        kernels = source[source.index(FIRST_KERNEL) :]
        with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as folder:
            text, library = Path(folder) / "kernels.cpp", Path(folder) / "kernels.so"
            entries = "".join(_entry(name, kernel) for name, kernel in self.kernels.items())
            text.write_text(f'#include "{HEADER}"\n{kernels}{entries}')
            _compile(text, library)
            self.library = ctypes.CDLL(str(library))

    def run(
        self, name: str, blocks: int, arrays: Mapping[str, Array], backwards: bool = False
    ) -> dict[str, Array]:
        """All arrays after the kernel, whose parameters have their names; `backwards` runs the
        last thread first."""
        kernel = self.kernels[name]
        copies = {key: aligned(arrays[key]) for key, _ in kernel.parameters}
        pointers = (ctypes.c_void_p * len(copies))(*(one.ctypes.data for one in copies.values()))
        fault = getattr(self.library, f"run_{name}")(blocks, int(backwards), pointers)
        assert fault == 0, f"{name}: {FAULTS[fault]}"
        return copies


def cuda_source(functions: Mapping[str, PrimFunc], dtype: str = "float16") -> str:
    """The CUDA of kernels by name."""
    module = tvm.IRModule(
        {name: one.with_attr("global_symbol", name) for name, one in functions.items()}
    )
    with compiling(dtype), keeping_source():
        library = tvm.compile(module, target=gpu_target("h100").tvm)
    source: str = device_module(library.mod).inspect_source("cuda")
    return source


def _kernels(source: str) -> list[tuple[str, Kernel]]:
    found = []
    for threads, name, parameters in KERNEL.findall(source):
        words = [word.replace("__restrict__", "").split() for word in parameters.split(",")]
        named = tuple((word[-1].removesuffix("_ptr"), word[0]) for word in words)
        found.append((name.removesuffix("_kernel"), Kernel(named, int(threads))))
    return found


def _entry(name: str, kernel: Kernel) -> str:
    """The function by which Python starts a kernel."""
    arguments = ", ".join(
        f"static_cast<{kind}>(arguments_{name}[{number}])"
        for number, (_, kind) in enumerate(kernel.parameters)
    )
    return f"""
static void** arguments_{name};
static void body_{name}() {{ {name}_kernel({arguments}); }}
extern "C" int run_{name}(int blocks, int backwards, void** arguments) {{
  arguments_{name} = arguments;
  return run_grid(blocks, {kernel.threads}, backwards, body_{name});
}}
"""


def _compile(text: Path, library: Path) -> None:
    options = [
        "-O1", "-shared", "-fPIC", "-std=c++17", "-march=native", "-fno-strict-aliasing", "-w",
        "-fno-exceptions", "-fno-sanitize=all", "-nostdlib++",
    ]  # fmt: skip
    command = [sys.executable, "-m", "ziglang", "c++", *options, str(text), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[:2000]
