"""How much memory an inference holds for activations.

Tensors between kernels share a few blocks that the runtime allocates; a kernel's own tensors come
from a workspace that the next kernel reuses, so that the largest counts.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any

from schedules.cpu.kernel import Kernel

ALLOCATION = "vm.builtin.alloc_storage"


def scratch_bytes(kernels: Sequence[Kernel]) -> int:
    """The largest workspace of a kernel for tensors that nobody outside reads."""
    return max(sum(kernel.frames[name].bytes for name in kernel.scratch) for kernel in kernels)


@contextmanager
def storage_bytes(machine: Any) -> Iterator[list[int]]:
    """Collects the size of every block that the virtual machine allocates meanwhile."""
    sizes: list[int] = []

    def watch(_: Any, symbol: str, before: bool, __: Any, *arguments: Any) -> int:
        if before and symbol == ALLOCATION:
            sizes.append(prod(int(extent) for extent in arguments[1]))
        return 0  # go on with the call

    machine.set_instrument(watch)
    yield sizes
