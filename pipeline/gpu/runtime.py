"""TVM's runtime for CUDA, which is not loaded by itself everywhere."""

import ctypes
from importlib.util import find_spec
from pathlib import Path

import tvm_ffi
from tvm_ffi.libinfo import load_lib_ctypes

# Where the package nvidia-cuda-runtime has the library that TVM's runtime for CUDA is linked to.
CUDART = Path("cu13") / "lib" / "libcudart.so.13"


def load_runtime() -> None:
    """Load TVM's runtime for CUDA, which importing TVM leaves out where CUDA's own is not on the
    system's path: it may have come as a Python package. Without a driver nothing is loaded."""
    if tvm_ffi.get_global_func("device_api.cuda", allow_missing=True) is not None:
        return
    package = find_spec("nvidia")
    places = package.submodule_search_locations if package else None
    found = [Path(place) / CUDART for place in places or () if (Path(place) / CUDART).is_file()]
    try:
        for library in found[:1]:
            ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
        load_lib_ctypes("tvm", "tvm_runtime_cuda", "RTLD_LOCAL")
    except (OSError, RuntimeError):
        # No driver: there is no GPU to be found.
        return
