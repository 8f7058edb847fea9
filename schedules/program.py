"""Writing a TensorIR program block by block.

    with block("product", {"x": 7, "c": 20}, reduce={"k": 80}) as (x, c, k): ...

is a loop over every axis with one block inside, as TVMScript would spell it out.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

Tensors = Mapping[str, Any]


@dataclass(frozen=True)
class TensorType:
    """The extents of a tensor and the type of its values."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def bytes(self) -> int:
        """As allocated."""
        return prod(self.shape) * int(np.dtype(self.dtype).itemsize)


@contextmanager
def prim_func(name: str) -> Iterator[Any]:
    """A PrimFunc with a root block; `.get()` of the yielded builder returns it after the block."""
    builder = IRBuilder()
    with builder, T.prim_func(s_tir=True):
        T.func_name(name)
        # Inputs and outputs are separate tensors, which lets LLVM keep values in registers.
        T.func_attr({"tirx.noalias": True})
        yield builder


@contextmanager
def block(
    name: str, spatial: Mapping[str, int], reduce: Mapping[str, int] | None = None
) -> Iterator[list[Any]]:
    """Loops over the named extents, and in them a block whose axes are those loops."""
    extents = {**spatial, **(reduce or {})}
    kinds = "S" * len(spatial) + "R" * len(reduce or {})
    with T.grid(*extents.values()) as grid, T.sblock(name):
        # One of either comes as it is, several as a list.
        loops = list(grid) if len(extents) > 1 else [grid]
        for axis, loop in zip(extents, loops, strict=True):
            IRBuilder.name(axis, loop)
        remapped = T.axis.remap(kinds, loops)
        axes = list(remapped) if len(extents) > 1 else [remapped]
        for axis, variable in zip(extents, axes, strict=True):
            IRBuilder.name(f"v_{axis}", variable)
        yield axes


def tensor(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
    """A parameter of the function."""
    return T.arg(name, T.buffer(shape, dtype))


def scratch(name: str, shape: tuple[int, ...], dtype: str = "float32") -> Any:
    """A buffer that lives inside the function."""
    made = T.sblock_alloc_buffer(shape, dtype)
    IRBuilder.name(name, made)
    return made


def local(name: str, shape: tuple[int, ...], dtype: str) -> Any:
    """The same of a few values, which the compiler keeps in registers if it can."""
    made = T.sblock_alloc_buffer(shape, dtype, scope="local")
    IRBuilder.name(name, made)
    return made


def store(buffer: Any, value: Any, at: list[Any] | tuple[Any, ...], lanes: int = 1) -> None:
    """Store a value, or a vector of `lanes`, in the type that the buffer holds."""
    kind = buffer.dtype if lanes == 1 else f"{buffer.dtype}x{lanes}"
    T.buffer_store(buffer, T.cast(value, kind), list(at))


def zero(dtype: str = "float32") -> Any:
    """The additive identity, as the reductions start from it."""
    return T.FloatImm(dtype, 0.0)
