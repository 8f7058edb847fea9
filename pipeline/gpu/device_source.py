"""What a compiler for GPUs gets of the CUDA that TVM writes."""

import re
from collections.abc import Callable, Set

from pipeline.gpu.resources import SUFFIX
from schedules.cuda.device import device_functions, rolled
from schedules.cuda.tiles import MOST_REGISTERS
from schedules.gpu import ENOUGH_WARPS, MULTIPROCESSOR_REGISTERS, WARP

BOUNDS = re.compile(r"__launch_bounds__\((\d+), \d+\)")
LAUNCH_BOUNDS = re.compile(r"__launch_bounds__\((\d+)\)")
# The kernels follow what TVM writes for all programs: headers that these do not use.
FIRST_KERNEL = 'extern "C" __global__'
NAME = re.compile(r"(\w+)\(")
LOOP = re.compile(r"(#pragma unroll[^\n]*\n\s*)?for \(int \w+ = 0;")


def device_source(source: str) -> str:
    """What of TVM's source is compiled: its kernels, after what they call."""
    kernels = source[source.index(FIRST_KERNEL) :]
    return device_functions(kernels) + rolled(bounded(kernels))


def bounded(source: str) -> str:
    """The kernels with no more registers a thread than tiles are chosen for.

    A limit for the compiler as a whole does not hold for kernels that state their threads; the
    least number of blocks that a multiprocessor is to hold does.
    """

    most = MULTIPROCESSOR_REGISTERS // MOST_REGISTERS

    def bounds(stated: re.Match[str]) -> str:
        threads = int(stated[1])
        return f"__launch_bounds__({threads}, {most // threads})"

    return LAUNCH_BOUNDS.sub(bounds, source)


def widened(source: str, functions: Set[str]) -> str:
    """The source with as many registers for these kernels as leave room for enough warps, or for a
    block of more than half as many."""
    return _changed(source, functions, lambda kernel: BOUNDS.sub(_wide, kernel))


def left_rolled(source: str, functions: Set[str]) -> str:
    """The source with the loops of these kernels marked as not to be unrolled.

    What a turn loads at once is written out already; unrolled further, some kernels load the data
    of so many turns before they use it that their registers do not hold it.
    """
    return _changed(source, functions, lambda kernel: LOOP.sub(_marked, kernel))


def _changed(source: str, functions: Set[str], change: Callable[[str], str]) -> str:
    """The source with these kernels changed."""
    head, *kernels = source.split(FIRST_KERNEL)
    made = [head]
    for kernel in kernels:
        # What stands before the parameters is the name, after the bounds of the launch.
        name = next(found for found in NAME.findall(kernel) if found.endswith(SUFFIX))
        made.append(change(kernel) if name.removesuffix(SUFFIX) in functions else kernel)
    return FIRST_KERNEL.join(made)


def _wide(bounds: re.Match[str]) -> str:
    threads = int(bounds[1])
    return f"__launch_bounds__({threads}, {max(1, ENOUGH_WARPS * WARP // threads)})"


def _marked(loop: re.Match[str]) -> str:
    return loop[0] if loop[1] else f"\n#pragma unroll 1\n{loop[0]}"
