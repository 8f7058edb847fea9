"""How much memory an inference holds for activations.

Tensors between kernels and those that a kernel keeps to itself share one piece of memory, which the
runtime allocates, as it does the result.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

ALLOCATION = "vm.builtin.alloc_storage"


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
