"""What a kernel for a GPU is tuned on: libraries as bundles have them, and its definition."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import tvm
from tvm.tirx import PrimFunc

from pipeline.compiling import compiling
from pipeline.gpu.compilers import Compiler, compiler_named
from pipeline.gpu.emit import named
from pipeline.gpu.expected import expected
from pipeline.gpu.package import device_module, export_library, keeping_source
from pipeline.gpu.random_arguments import packed, random_arguments
from pipeline.linker import linker_for
from pipeline.targets import GpuTarget
from pipeline.tune.gpu_space import GpuSpace
from pipeline.tune.space import Array, Parameters, expected_path
from schedules.cuda.chain import Chain
from schedules.cuda.operators import Work, signature

MAIN = "main"


@dataclass(frozen=True)
class GpuSubject:
    """A kernel, the target, and the name of the compiler for its device code."""

    work: Work
    target: GpuTarget
    compiler: str

    @property
    def choices(self) -> tuple[str, ...]:
        """None: its tile says all."""
        return ()

    @property
    def parameters(self) -> Parameters:
        """Of the kernel: inputs, constants, outputs."""
        own = signature(self.work)
        same = self.work.aliases if isinstance(self.work, Chain) else ()
        roles = list(own.inputs)
        aliases = tuple((roles.index(role), roles.index("data")) for role in same)
        return Parameters(
            tuple((one.shape, one.dtype) for one in own.outputs.values()), (), aliases
        )

    def space(self) -> GpuSpace:
        """Its candidates."""
        return GpuSpace(self.work, self.target.gpu)

    def arguments(self, seed: int) -> list[Array]:
        """What the kernel is given."""
        own = signature(self.work)
        arrays = packed(self.work, random_arguments(self.work, seed))
        return [arrays[role] for role in (*own.inputs, *own.constants)]

    def export(self, function: PrimFunc, path: Path) -> None:
        """Make the library of a candidate, for the first GPU of the target."""
        module, source = compiled(function, self.target)
        code = _compiler(self.compiler).compile(source, (self.target.gpu.architecture,))
        export_library(module, code.binary, path, linker_for(self.target.host))

    def reference(self, path: Path, inputs: Sequence[tuple[Path, int]]) -> None:
        """Compute what the kernel makes, by its definition."""
        for at, seed in inputs:
            made = expected(self.work, random_arguments(self.work, seed))
            np.savez(expected_path(at), *made.values())


def compiled(function: PrimFunc, target: GpuTarget) -> tuple[tvm.runtime.Module, str]:
    """The host side of a kernel, and its CUDA source."""
    module = tvm.IRModule({MAIN: named(function, MAIN, target.launches_early)})
    with compiling(target.dtype), keeping_source():
        host = tvm.compile(module, target=target.tvm).mod
    return host, device_module(host).inspect_source("cuda")


@cache
def _compiler(name: str) -> Compiler:
    return compiler_named(name)
