"""A block of threads, and how they share work.

for turn in range(ceil(count / threads)):
    item = turn * threads + thread
    if item < count: ...
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import ceil
from typing import Any

from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from schedules.cuda.device import AWAIT_OTHERS, LET_NEXT_BEGIN
from schedules.cuda.loops import serial
from schedules.program import zero


@dataclass(frozen=True)
class Block:
    """The number of the block as (pixel tile, channel slice), and the thread in it."""

    tile: Any
    slice: Any
    thread: Any
    threads: int

    @contextmanager
    def items(self, count: int) -> Iterator[Any]:
        """Deals out `count` items to the threads; the body sees the number of one."""
        turns = ceil(count / self.threads)
        with serial(turns, "turn") as turn:
            item = turn * self.threads + self.thread
            with when(item < count) if count % self.threads else nullcontext():
                yield item


@contextmanager
def grid(tiles: int, slices: int, threads: int) -> Iterator[Block]:
    """Blocks for every tile and slice; slices of a tile are neighbours, as they share its data."""
    with T.thread_binding(0, tiles * slices, "blockIdx.x") as number:
        IRBuilder.name("block", number)
        with T.thread_binding(0, threads, "threadIdx.x") as thread:
            IRBuilder.name("thread", thread)
            yield Block(number // slices, number % slices, thread, threads)


@contextmanager
def in_turn() -> Iterator[None]:
    """The body runs when all kernels before this one have ended, and what is written before it may
    run earlier: it reads constants only. Past the body, when no block has more to begin, the next
    kernel is launched; earlier, its blocks would crowd where those of this one are few."""
    _call(AWAIT_OTHERS)
    yield
    _call(LET_NEXT_BEGIN)


def _call(function: str) -> None:
    T.evaluate(T.call_extern("void", function))


@contextmanager
def when(condition: Any) -> Iterator[None]:
    """The body runs if the condition holds."""
    with T.If(condition), T.Then():
        yield


def when_all(conditions: Sequence[Any]) -> Any:
    """The context in which all conditions hold; none at all if there is none."""
    return when(both(conditions)) if conditions else nullcontext()


def both(conditions: Sequence[Any]) -> Any:
    """The conjunction of one or more conditions."""
    result = conditions[0]
    for condition in conditions[1:]:
        result = T.And(result, condition)
    return result


def select(conditions: Sequence[Any], value: Any) -> Any:
    """The value if all conditions hold, else zero; what is not selected is not loaded."""
    return T.if_then_else(both(conditions), value, zero(str(value.ty))) if conditions else value
