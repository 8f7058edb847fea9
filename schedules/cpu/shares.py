"""Running stages one after the other, each core on its own share of the pixels.

    for strip, vector_block in parallel:         on every core:
        for tile: stage 1                            for vector_block:
    for strip, vector_block in parallel:   ->            for tile in the core's share: stage 1
        for tile: stage 2                            wait for the other cores
                                                     for vector_block: ...

A core reads all weights once, however few rows there are, and little that another has written. How
many shares there are is known when the function runs. Measured with two threads on a Xeon of 2 MB
a core, units of 7 x 7 pixels and 960 channels in 3 groups: 50 us, where cores that share blocks of
vectors take 74 and strips of one row 61.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.tirx import PrimFunc

from schedules.cpu.statements import with_body
from schedules.cpu.strips import function, nests_of, put


@dataclass(frozen=True)
class Shared:
    """The variable of a loop over pixels, the outermost one, which cores share.

    Its last iteration may be a `narrower` tile than the others.
    """

    variable: Any
    narrower: bool = False


def in_shares(
    whole: PrimFunc, borders: Sequence[PrimFunc], parts: Sequence[PrimFunc], loops: Sequence[Shared]
) -> PrimFunc:
    """One function of stages that share buffers, each a phase of its own.

    Arguments as of `in_strips`, and of each part the loop whose iterations cores share.
    """
    scratch = list(parts[0].params[len(whole.params) :])
    stages = []
    for part, shared in zip(parts, loops, strict=True):
        buffers = list(part.body.block.alloc_buffers)
        # Sums that lived in both places would live in neither's registers.
        last = {buffer: tirx.Buffer(f"{buffer.name}_last", buffer.ty) for buffer in buffers}
        scratch += [*buffers, *(last.values() if shared.narrower else [])]
        for nest in nests_of([part]):
            stages.append(_dealt(nest, shared, last))
    return function(whole.params, [*nests_of(borders), *stages], scratch, whole.attrs)


def _dealt(nest: Any, shared: Shared, last: dict[Any, Any]) -> Any:
    """The nest with one loop parallel; the narrower tile comes after the one before it."""
    if not nest.loop_var.same_as(shared.variable):
        body = _dealt(nest.body, shared, last)
        return with_body(nest, body)
    variable, body, count = nest.loop_var, nest.body, int(nest.extent)
    if shared.narrower and count > 1:
        count -= 1
        end = put(body, {variable: tirx.IntImm("int32", count), **last})
        body = tirx.SeqStmt([body, tirx.IfThenElse(variable.equal(count - 1), end, None)])
    if count == 1:
        # A parallel loop of one iteration is no loop for the compiler: every core would run it.
        body = tirx.IfThenElse(
            variable.equal(0), put(body, {variable: tirx.IntImm("int32", 0)}), None
        )
    return tirx.For(variable, 0, max(count, 2), tirx.ForKind.PARALLEL, body)


def one_turn_of(condition: Any) -> Any | None:
    """The variable of the loop in one turn of which a condition holds, if it is of that kind."""
    equal = isinstance(condition, tirx.EQ) and isinstance(condition.b, tirx.IntImm)
    return condition.a if equal and isinstance(condition.a, tirx.Var) else None
