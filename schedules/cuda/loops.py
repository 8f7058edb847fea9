"""The loops of a kernel. One of a single turn is none at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T


def serial(extent: int, name: str) -> Any:
    """A loop at run time."""
    return _loop(T.serial, extent, name)


def unrolled(extent: int, name: str) -> Any:
    """A loop without a counter at run time."""
    return _loop(T.unroll, extent, name)


def vector(lanes: int) -> Any:
    """The lanes of one access."""
    return _loop(T.vectorized, lanes, "lane")


@contextmanager
def _loop(kind: Callable[[int, int], Any], extent: int, name: str) -> Iterator[Any]:
    """The body sees the number of the turn."""
    if extent == 1:
        yield 0
        return
    with kind(0, extent) as variable:
        IRBuilder.name(name, variable)
        yield variable
