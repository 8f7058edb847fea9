"""The bytes that a compiled network moves.

At the edge of a kernel: its inputs, weights and outputs, each once, which is the least there can
be. Between the cache and the registers: what the loads and stores of its loop nests add up to, each
as often as its loops run. Loops that are unrolled or vectors count only where the address depends
on them, for otherwise the value stays in a register. From beyond a cache: what has been pushed out
of it since its last use, taking the cache to forget the least recently used tensor.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import tvm
import tvm_ffi
from tvm import s_tir, tirx
from tvm.tirx import PrimFunc

from pipeline.passes.group_stages import Call
from schedules.cpu.shares import one_turn_of

STRAIGHT = (tirx.ForKind.UNROLLED, tirx.ForKind.VECTORIZED)
# What holds the parts of an expression that is no call.
OPERANDS = ("a", "b", "value", "condition", "true_value", "false_value")
# Makes the loop variables stand in the addresses.
OPEN = (s_tir.transform.LowerInitBlock, s_tir.transform.ConvertBlocksToOpaque)


@dataclass(frozen=True)
class Tensors:
    """What one call reads and writes, by the network's names, in bytes."""

    reads: dict[str, int]
    weights: dict[str, int]
    writes: dict[str, int]

    @property
    def bytes(self) -> int:
        """At the edge of the kernel."""
        return sum(sum(part.values()) for part in (self.reads, self.weights, self.writes))


def tensors_of(call: Call) -> Tensors:
    """The tensors of a call."""
    kernel = call.kernel

    def frame(name: str) -> int:
        return kernel.frames[name].bytes

    sizes = {name: size for stage in kernel.stages for name, size in stage.constant_bytes.items()}
    weights = {call.constants[name]: size for name, size in sizes.items()}
    return Tensors(
        reads={call.tensors[name]: frame(name) for name in kernel.inputs},
        weights=weights,
        writes={call.tensors[name]: frame(name) for name in kernel.outputs},
    )


def missed_bytes(calls: Sequence[Tensors], cache_bytes: int) -> list[int]:
    """What each call brings into a cache of so many bytes, in an inference after many; writing back
    is not counted."""
    held: OrderedDict[str, int] = OrderedDict()
    _pass(calls, held, cache_bytes)
    return _pass(calls, held, cache_bytes)


def _pass(calls: Sequence[Tensors], held: OrderedDict[str, int], cache_bytes: int) -> list[int]:
    """One inference; `held` is what the cache holds, the least recently used first."""
    missed = []
    for call in calls:
        brought = 0
        for name, size in (*call.reads.items(), *call.weights.items(), *call.writes.items()):
            if name not in held and name not in call.writes:
                brought += size
            held[name] = size
            held.move_to_end(name)
            while sum(held.values()) > cache_bytes:
                held.popitem(last=False)
        missed.append(brought)
    return missed


def register_bytes(function: PrimFunc) -> int:
    """What one call of a scheduled function loads into registers and stores from them."""
    module = tvm.IRModule({"main": function})
    for open_ in OPEN:
        module = open_()(module)
    return sum(
        _times(indices, loops) * _lanes(indices) * np.dtype(str(buffer.dtype)).itemsize
        for buffer, indices, loops in _accesses(module["main"].body, ())
        if buffer.scope() != "local"
    )


Loops = tuple[Any, ...]
# Of a buffer, at these indices, in these loops, the outermost first.
Access = tuple[Any, Sequence[Any], Loops]


def _accesses(node: Any, loops: Loops) -> Iterator[Access]:
    """Every load and store of a statement."""
    if isinstance(node, tirx.For):
        yield from _accesses(node.body, (*loops, node))
    elif isinstance(node, tirx.SeqStmt):
        for part in node.seq:
            yield from _accesses(part, loops)
    elif isinstance(node, tirx.AttrStmt):
        yield from _accesses(node.body, loops)
    elif isinstance(node, tirx.IfThenElse):
        turn = one_turn_of(node.condition)
        once = [loop for loop in loops if turn is None or not loop.loop_var.same_as(turn)]
        yield from _accesses(node.then_case, tuple(once))
        if node.else_case is not None:
            yield from _accesses(node.else_case, loops)
    elif isinstance(node, s_tir.SBlockRealize):
        yield from _accesses(node.block.body, loops)
    elif isinstance(node, tirx.BufferStore):
        yield node.buffer, node.indices, loops
        yield from _loads(node.value, loops)
    elif isinstance(node, tirx.Evaluate):
        return  # A line fetched ahead goes to a cache, to no register.
    else:
        raise TypeError(f"no loop nest of these schedules has a {type(node).__name__}")


def _loads(node: Any, loops: Loops) -> Iterator[Access]:
    """Every load of an expression; addresses hold none."""
    if isinstance(node, tvm.ir.TensorLoad):
        yield node.source, node.indices, loops
        return
    operands = [getattr(node, name, None) for name in OPERANDS]
    for part in (*operands, *getattr(node, "args", ()), *_apart(getattr(node, "vectors", ()))):
        if isinstance(part, tvm.ir.Expr):
            yield from _loads(part, loops)


def _apart(vectors: Sequence[Any]) -> list[Any]:
    """What a vector is put together of, each part once: one that is repeated is loaded once."""
    parts: list[Any] = []
    for vector in vectors:
        if not any(tvm_ffi.structural_equal(vector, part) for part in parts):
            parts.append(vector)
    return parts


def _lanes(indices: Sequence[Any]) -> int:
    """The elements that are moved together."""
    return prod(int(index.lanes) for index in indices if isinstance(index, tirx.Ramp))


def _times(indices: Sequence[Any], loops: Loops) -> int:
    used = {variable for index in indices for variable in tirx.analysis.undefined_vars(index)}
    return prod(
        int(loop.extent) for loop in loops if loop.kind not in STRAIGHT or loop.loop_var in used
    )
