"""TVM's runtime without its compiler and without PyTorch, for processes that only run libraries.

`import tvm` loads both, which takes two seconds; this takes a quarter of one.
"""

import ctypes
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

# tvm_ffi imports PyTorch where that is installed.
sys.modules.setdefault("torch", None)  # type: ignore[arg-type]

import tvm_ffi  # noqa: E402

Array = NDArray[Any]

# TVM's numbers of the CPU and of the allocator that keeps what it allocated.
CPU, POOLED = 1, 2


def load_library(path: Path | str) -> Any:
    """A compiled library as a module."""
    spec = find_spec("tvm")
    assert spec is not None
    assert spec.origin is not None
    (runtime,) = (Path(spec.origin).parent / "lib").glob("libtvm_runtime.*")
    ctypes.CDLL(str(runtime), ctypes.RTLD_GLOBAL)
    return tvm_ffi.load_module(str(path))


def network_of(library: Any) -> Any:
    """The function that runs the network of a bundle's library."""
    machine = library["vm_load_executable"]()
    machine["vm_initialization"](CPU, 0, POOLED)
    return machine["main"]


def tensor(data: Array) -> Any:
    """An `aligned` array as compiled code takes it, in the same memory."""
    return tvm_ffi.from_dlpack(data)
