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


def fuse_strips(
    whole: PrimFunc, borders: Sequence[PrimFunc], parts: Sequence[PrimFunc]
) -> PrimFunc:
    """One function of stages that share buffers and begin with the same loop over strips.

    `whole` is the unscheduled function of all stages: its parameters are those of the result, and
    a buffer that only `parts` have as a parameter becomes scratch memory. The nests of `borders`
    run before the strips. Raises ValueError if the parts have different numbers of strips.
    """
    roots = [part.body.block for part in parts]
    if len(roots) == 1:
        nest = roots[0].body
    else:
        nest = _merge([root.body for root in roots])
    before = [loop for border in borders for loop in border.body.block.body.seq]
    scratch = list(parts[0].params[len(whole.params) :])
    scratch += [buffer for root in roots for buffer in root.alloc_buffers]
    return function(whole.params, [*before, nest], scratch, whole.attrs)


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
