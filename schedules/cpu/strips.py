"""Running scheduled stages one after the other inside each strip of pixels.

    for strip: depthwise(strip)          for strip in parallel:
    for strip: pointwise(strip)    ->        depthwise(strip)
                                             pointwise(strip)

It is one parallel region instead of two, and the buffer between them is never larger than a strip.
"""

from collections.abc import Sequence
from typing import Any

from tvm import s_tir, tirx
from tvm.tirx import PrimFunc


def in_strips(whole: PrimFunc, borders: Sequence[PrimFunc], parts: Sequence[PrimFunc]) -> PrimFunc:
    """One function of stages that share buffers and begin with the same loop over strips.

    `whole` is the unscheduled function of all stages: its parameters are those of the result, and
    a buffer that only `parts` have as a parameter becomes scratch memory. The nests of `borders`
    run before the strips. Raises ValueError if the parts have different numbers of strips.
    """
    nest = _merge([part.body.block.body for part in parts])
    return _joined(whole, [*nests_of(borders), nest], parts)


def in_sequence(
    whole: PrimFunc, borders: Sequence[PrimFunc], parts: Sequence[PrimFunc]
) -> PrimFunc:
    """One function that runs each stage to its end before the next; arguments as above."""
    return _joined(whole, [*nests_of(borders), *nests_of(parts)], parts)


def _joined(whole: PrimFunc, nests: Sequence[Any], parts: Sequence[PrimFunc]) -> PrimFunc:
    scratch = list(parts[0].params[len(whole.params) :])
    scratch += [buffer for part in parts for buffer in part.body.block.alloc_buffers]
    return function(whole.params, nests, scratch, whole.attrs)


def nests_of(parts: Sequence[PrimFunc]) -> list[Any]:
    """The loop nests under the root of every function, in order."""
    bodies = [part.body.block.body for part in parts]
    return [
        nest for body in bodies for nest in (body.seq if isinstance(body, tirx.SeqStmt) else [body])
    ]


def _merge(loops: Sequence[Any]) -> Any:
    """One parallel loop that runs the bodies of all loops one after the other."""
    extents = {int(loop.extent) for loop in loops}
    if len(extents) != 1:
        raise ValueError(f"the stages have different numbers of strips: {sorted(extents)}")
    strip = tirx.Var("strip", "int32")
    bodies = [_rename(loop, strip) for loop in loops]
    return tirx.For(strip, 0, extents.pop(), tirx.ForKind.PARALLEL, tirx.SeqStmt(bodies))


def function(
    parameters: Sequence[Any], nests: Sequence[Any], buffers: Sequence[Any], attributes: Any
) -> PrimFunc:
    """A function of loop nests under a root block that allocates the buffers."""
    body = nests[0] if len(nests) == 1 else tirx.SeqStmt(list(nests))
    root = s_tir.SBlock([], [], [], "root", body, alloc_buffers=list(buffers))
    return PrimFunc(list(parameters), s_tir.SBlockRealize([], True, root), attrs=attributes)


def _rename(loop: Any, variable: tirx.Var) -> Any:
    """The body of a loop in terms of another variable."""
    return PrimFunc([loop.loop_var], loop.body).specialize({loop.loop_var: variable}).body
