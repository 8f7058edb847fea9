"""Running kernels for GPUs on a CPU: the same functions, built for OpenCL, on PoCL."""

import functools
import re
from collections.abc import Mapping

import numpy as np
import pytest
import tvm
from numpy.typing import NDArray
from tvm.tirx import PrimFunc

from pipeline.compiling import compiling
from schedules.cuda.device import AWAIT_OTHERS, LET_NEXT_BEGIN, LOAD_EARLY
from schedules.program import TensorType

Array = NDArray[np.float32]

MISSING = (
    "no OpenCL device; install one with: apt-get install pocl-opencl-icd, pip install pyopencl"
)
# Kernels of OpenCL begin when those before them have ended.
NOTHING = "".join(f"#define {name}()\n" for name in (AWAIT_OTHERS, LET_NEXT_BEGIN))
# Registers, and device memory.
EARLY = f"#define {LOAD_EARLY}(to, from) vstore4(vload4(0, from), 0, to)\n"
NAME = re.compile(r"__kernel void (\w+)\(([^)]*)\)\s*\{")


@functools.cache
def queue():
    """A command queue of the first OpenCL device; skips the test if there is none."""
    opencl = pytest.importorskip("pyopencl", reason=MISSING)
    try:
        devices = [
            device for platform in opencl.get_platforms() for device in platform.get_devices()
        ]
    except opencl.LogicError:
        devices = []
    if not devices:
        # OpenCL is a package of the system that a user's machine may lack; CI looks for it first.
        pytest.skip(MISSING)
    return opencl.CommandQueue(opencl.Context(devices[:1]))


def opencl_source(function: PrimFunc) -> str:
    """The one kernel of a function, as OpenCL."""
    target = tvm.target.Target({"kind": "opencl"}, host={"kind": "llvm"})
    with compiling():
        library = tvm.compile(function, target=target)
    (device,) = library.mod.imports
    return NOTHING + EARLY + device.inspect_source()


def launch(function: PrimFunc) -> tuple[int, int]:
    """Blocks and threads."""
    body = function.body
    # A function without buffers of its own has no block round its loops.
    blocks = body if isinstance(body, tvm.tirx.For) else body.block.body
    return int(blocks.extent), int(blocks.body.extent)


def run(
    function: PrimFunc, arguments: Mapping[str, Array], outputs: Mapping[str, TensorType]
) -> dict[str, Array]:
    """What the function writes into outputs that are filled with NaN."""
    made = {name: np.full(one.shape, np.nan, one.dtype) for name, one in outputs.items()}
    return run_into(function, arguments, made)


def run_into(
    function: PrimFunc, arguments: Mapping[str, Array], outputs: Mapping[str, Array]
) -> dict[str, Array]:
    """The outputs after the function; parameters have the names of the arguments."""
    import pyopencl as opencl

    at, flags = queue(), opencl.mem_flags
    source = opencl_source(function)
    ((name, parameters),) = NAME.findall(source)
    program = opencl.Program(at.context, source).build()
    arrays = {**arguments, **outputs}
    copies = {
        key: opencl.Buffer(
            at.context, flags.READ_WRITE | flags.COPY_HOST_PTR, hostbuf=np.ascontiguousarray(array)
        )
        for key, array in arrays.items()
    }
    names = [word.split()[-1].lstrip("*").removesuffix("_ptr") for word in parameters.split(",")]
    blocks, threads = launch(function)
    getattr(program, name)(at, (blocks * threads,), (threads,), *(copies[key] for key in names))
    results = {key: np.empty_like(array) for key, array in outputs.items()}
    for key, result in results.items():
        opencl.enqueue_copy(at, result, copies[key])
    at.finish()
    return results
