"""Reads a file of weights without running anything that is in it."""

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from pipeline.errors import RequestError

Tensors = dict[str, torch.Tensor]

TORCH_SUFFIXES = (".pth", ".pt")
# Keys under which training scripts keep the weights, beside the optimiser's state.
WRAPPERS = ("state_dict", "model_state_dict", "model")
# What torch's reader lets through, beside UnpicklingError, when it trips over damaged bytes.
DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
# What DataParallel puts before every name.
PARALLEL_PREFIX = "module."


def read_checkpoint(path: Path) -> Tensors:
    """Tensors by name, in the file's order; RequestError if the file is not plain weights."""
    if not path.is_file():
        raise RequestError(f"no weights at {path}; give the path of a .safetensors or .pth file")
    if path.suffix == ".safetensors":
        tensors = _read_safetensors(path)
    elif path.suffix in TORCH_SUFFIXES:
        tensors = _unwrapped(path, _read_torch(path))
    else:
        raise RequestError(f"cannot read weights from {path}; use .safetensors, .pth or .pt")
    return _without_prefix(tensors)


def _read_safetensors(path: Path) -> Tensors:
    try:
        tensors: Tensors = load_file(path)
    except SafetensorError as error:
        raise RequestError(_unreadable(path, error)) from error
    return tensors


def _read_torch(path: Path) -> object:
    try:
        loaded: object = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise RequestError(
            f"{path} holds more than weights, or none, and was not run; "
            "save the network's state_dict() alone, best as .safetensors"
        ) from error
    except DAMAGE as error:
        raise RequestError(_unreadable(path, error)) from error
    return loaded


def _unreadable(path: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())
    return f"{path} is damaged or of another format ({reason}); save it again"


def _unwrapped(path: Path, loaded: object) -> Tensors:
    """The state dict, which may be an entry of what was loaded."""
    if isinstance(loaded, Mapping):
        inner = [loaded[key] for key in WRAPPERS if isinstance(loaded.get(key), Mapping)]
        state = inner[0] if inner else loaded
        if all(isinstance(value, torch.Tensor) for value in state.values()):
            return {str(name): tensor for name, tensor in state.items()}
    raise RequestError(f"{path} holds no state dict; save the network's state_dict()")


def _without_prefix(tensors: Tensors) -> Tensors:
    if not all(name.startswith(PARALLEL_PREFIX) for name in tensors):
        return tensors
    return {name.removeprefix(PARALLEL_PREFIX): tensor for name, tensor in tensors.items()}
