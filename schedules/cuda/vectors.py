"""Accesses of 128 bits, and arithmetic in float32 on what they bring.

    float32:  sums[0:4] += data[0:4] * weight[0:4]          # vectors throughout
    float16:  copy[0:8] = data[0:8]                         # one access, to registers
              sums[0] += float(copy[0]) * ...               # value by value

No register holds more than a value of float32, so vectors of eight sums would gain nothing; what
counts is that eight halves are moved at once.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from math import ceil, gcd
from typing import Any

import numpy as np
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from schedules.cuda.device import LOAD_EARLY
from schedules.cuda.loops import unrolled, vector

ACCESS_BYTES = 16
SUM = "float32"

Lanes = Callable[[Any], Any]


@dataclass(frozen=True)
class Row:
    """A row of a buffer of registers."""

    values: Any
    row: int

    def __getitem__(self, lane: Any) -> Any:
        return self.values[self.row, lane]

    def store(self, value: Any, lane: Any) -> None:
        """Replaces a lane."""
        T.buffer_store(self.values, value, [self.row, lane])


@cache
def bytes_of(dtype: str) -> int:
    """Bytes of a value."""
    return int(np.dtype(dtype).itemsize)


@cache
def lanes_of(dtype: str) -> int:
    """Values of a 128-bit access."""
    return ACCESS_BYTES // bytes_of(dtype)


def width(dtype: str, *extents: int) -> int:
    """The widest access, in values, that is aligned wherever every extent is a whole step."""
    return gcd(lanes_of(dtype), *extents)


def padded(channels: int, dtype: str) -> int:
    """Channels up to a whole number of 128-bit accesses."""
    return ceil(channels / lanes_of(dtype)) * lanes_of(dtype)


def buffer(name: str, shape: tuple[int, ...], scope: str, dtype: str = SUM) -> Any:
    """Memory of the block ("shared") or of each thread ("local")."""
    made = T.sblock_alloc_buffer(shape, dtype, scope=scope)
    IRBuilder.name(name, made)
    return made


@contextmanager
def quads(lanes: int) -> Iterator[Any]:
    """The lanes of sums where they are moved, as accesses of four."""
    each = gcd(lanes, lanes_of(SUM))
    with unrolled(lanes // each, "quad") as quad, vector(each) as lane:
        yield quad * each + lane


@contextmanager
def lanewise(lanes: int, dtype: str) -> Iterator[Any]:
    """The lanes of sums that belong to an access of this type."""
    with vector(lanes) if dtype == SUM else unrolled(lanes, "lane") as lane:
        yield lane


def widened(value: Any) -> Any:
    """A value in the type of sums."""
    return T.cast(value, SUM)


def read(name: str, lanes: int, dtype: str, value: Lanes) -> Lanes:
    """`value(lane)` of memory of this type as one access, each of its lanes in float32."""
    if dtype == SUM:
        return value
    copy = buffer(f"{name}_copy", (lanes,), "local", dtype)
    with vector(lanes) as lane:
        T.buffer_store(copy, value(lane), [lane])
    return lambda lane: widened(copy[lane])


def write(target: Any, lanes: int, value: Lanes, place: Callable[[Any], list[Any]]) -> None:
    """`value(lane)` of sums to memory as one access, at `place(lane)`."""
    dtype = str(target.dtype)
    if dtype != SUM:
        copy, wide = buffer("rounded", (lanes,), "local", dtype), value
        with unrolled(lanes, "lane") as lane:
            T.buffer_store(copy, T.cast(wide(lane), dtype), [lane])
        value = copy.__getitem__
    with vector(lanes) as lane:
        T.buffer_store(target, value(lane), place(lane))


def load_early(tensor: Any, place: Sequence[Any], into: Any, offset: int) -> None:
    """The 128 bits at a place of a tensor to registers, where this is written and not later."""
    flat: Any = 0
    for index, extent in zip(place, tensor.shape, strict=True):
        flat = flat * int(extent) + index
    to, source = into.access_ptr("w", offset=offset), tensor.access_ptr("r", offset=flat)
    T.evaluate(T.call_extern("void", LOAD_EARLY, to, source))


def channel_at(tensor: Any, row: Any, first: Any, lane: Any) -> Any:
    """A channel of a row."""
    return tensor[row, first + lane]


def place_at(row: Any, first: Any, lane: Any) -> list[Any]:
    """Where it lies."""
    return [row, first + lane]


def lane_of(sums: Any, first: int, lane: Any) -> Any:
    """A sum of a vector of which an access begins at `first`."""
    return sums[first + lane]
