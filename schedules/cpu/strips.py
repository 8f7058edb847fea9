"""Running scheduled stages one after the other inside each strip of pixels.

    for strip: depthwise(strip)          for strip in parallel:
    for strip: pointwise(strip)    ->        depthwise(strip)
                                             pointwise(strip)

It is one parallel loop instead of two, and the buffer between them is never larger than a strip.
Where a window reads what is made in the strip, a strip is a sequence of steps of a few rows each:

    for strip: for row: convolution(strip, row)       for strip in parallel:
    for step of any strip: window(step)          ->       for row in the first ones: convolution
    for step of any strip: pointwise(step)                for step in strip:
                                                              for row in the next ones: convolution
                                                              window(step)
                                                              pointwise(step)

so that rows are read while they are in the first-level cache, which a strip is too large for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvm import s_tir, tirx
from tvm.tirx import PrimFunc
from tvm_ffi import structural_map, structural_walk

from schedules.cpu.statements import rows_moved, with_body


def in_strips(whole: PrimFunc, borders: Sequence[PrimFunc], parts: Sequence[PrimFunc]) -> PrimFunc:
    """One function of stages that share buffers and begin with the same loop over strips.

    `whole` is the unscheduled function of all stages: its parameters are those of the result, and
    a buffer that only `parts` have as a parameter becomes scratch memory. The nests of `borders`
    run before the strips. Raises ValueError if the parts have different numbers of strips.
    """
    nest = _merge([part.body.block.body for part in parts])
    return _joined(whole, [*nests_of(borders), nest], parts)


@dataclass(frozen=True)
class Steps:
    """How strips are so many steps.

    Of each part `first` says how many rows a strip makes before its first step, and the variable of
    the loop over its rows, of which the others are dealt out to the steps; or None, if the loop
    that the part begins with is over all steps of all strips. Of a tensor that is `passing` each
    step makes so many rows, which no other reads: all steps of a strip have them in the same place,
    in the nearest cache, and the place of so many rows after it is left out.
    """

    count: int
    first: Sequence[tuple[int, Any] | None]
    passing: Mapping[str, tuple[int, int]]


def in_steps(
    whole: PrimFunc, borders: Sequence[PrimFunc], parts: Sequence[PrimFunc], steps: Steps
) -> PrimFunc:
    """The same where every strip is a sequence of steps.

    Raises ValueError if rows cannot be dealt out evenly.
    """
    strip, step = tirx.Var("strip", "int32"), tirx.Var("step", "int32")
    before: list[Any] = []
    within: list[Any] = []
    copies: list[Any] = []
    for part, own_first in zip(parts, steps.first, strict=True):
        outer = part.body.block.body
        if own_first is None:
            within.append(put(outer.body, {outer.loop_var: strip * steps.count + step}))
            continue
        rows_first, row = own_first
        strips, rows = int(outer.extent), put(outer.body, {outer.loop_var: strip})
        made = int(_loop(rows, row).extent) - rows_first
        each, left = divmod(made, steps.count)
        if left:
            raise ValueError(f"{made} rows are not {steps.count} equal steps")
        # Sums that lived in both places would live in neither's registers.
        own = {
            buffer: tirx.Buffer(f"{buffer.name}_first", buffer.ty)
            for buffer in part.body.block.alloc_buffers
        }
        copies += own.values()
        before.append(_renamed(put(_rows(rows, row, 0, rows_first), own)))
        within.append(_rows(rows, row, step * each + rows_first, each))
    passing = {
        tensor: steps.passing[tensor.name]
        for tensor in parts[0].params
        if tensor.name in steps.passing
    }
    nearer = {
        tensor: strip * (steps.count * each - each - apart) + step * each
        for tensor, (each, apart) in passing.items()
    }
    in_step = rows_moved(tirx.SeqStmt(within), nearer)
    in_step = tirx.For(step, 0, steps.count, tirx.ForKind.SERIAL, in_step)
    body = tirx.SeqStmt([*before, in_step])
    nest = tirx.For(strip, 0, strips, tirx.ForKind.PARALLEL, body)
    made = _joined(whole, [*nests_of(borders), nest], parts, copies)
    lower = {tensor: _of_rows(tensor, strips * sum(both)) for tensor, both in passing.items()}
    return made.with_body(_with_others(made.body, lower))


def _of_rows(tensor: Any, rows: int) -> Any:
    return tirx.decl_buffer((rows, *tensor.shape[1:]), tensor.dtype, tensor.name)


def _renamed(body: Any) -> Any:
    """The body with buffers of its own in place of those that its blocks allocate, as it is a copy
    and none may be allocated twice."""
    own: dict[Any, Any] = {}

    def see(block: Any) -> None:
        own.update((one, tirx.Buffer(f"{one.name}_first", one.ty)) for one in block.alloc_buffers)

    structural_walk(body, (s_tir.SBlock, see))
    return _with_others(body, own)


def _with_others(body: Any, others: Mapping[Any, Any]) -> Any:
    """The body with others in place of some of its buffers."""
    return structural_map(body, [(tirx.Var, lambda one: others.get(one, one))]) if others else body


def _loop(nest: Any, variable: Any) -> Any:
    """The loop over a variable, of loops one in the other."""
    while not nest.loop_var.same_as(variable):
        nest = nest.body
    return nest


def _rows(nest: Any, variable: Any, start: Any, count: int) -> Any:
    """A nest with so many iterations of its loop over a variable, from one on."""
    if not nest.loop_var.same_as(variable):
        body = _rows(nest.body, variable, start, count)
        return with_body(nest, body)
    row = tirx.Var(nest.loop_var.name, "int32")
    body = put(nest.body, {nest.loop_var: row + start})
    return tirx.For(row, 0, count, nest.kind, body, annotations=nest.annotations)


def in_sequence(
    whole: PrimFunc, borders: Sequence[PrimFunc], parts: Sequence[PrimFunc]
) -> PrimFunc:
    """One function that runs each stage to its end before the next; arguments as above."""
    return _joined(whole, [*nests_of(borders), *nests_of(parts)], parts)


def _joined(
    whole: PrimFunc, nests: Sequence[Any], parts: Sequence[PrimFunc], copies: Sequence[Any] = ()
) -> PrimFunc:
    scratch = [*parts[0].params[len(whole.params) :], *copies]
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
    bodies = [put(loop.body, {loop.loop_var: strip}) for loop in loops]
    return tirx.For(strip, 0, extents.pop(), tirx.ForKind.PARALLEL, tirx.SeqStmt(bodies))


def function(
    parameters: Sequence[Any], nests: Sequence[Any], buffers: Sequence[Any], attributes: Any
) -> PrimFunc:
    """A function of loop nests under a root block that allocates the buffers."""
    body = nests[0] if len(nests) == 1 else tirx.SeqStmt(list(nests))
    root = s_tir.SBlock([], [], [], "root", body, alloc_buffers=list(buffers))
    return PrimFunc(list(parameters), s_tir.SBlockRealize([], True, root), attrs=attributes)


def put(body: Any, values: dict[Any, Any]) -> Any:
    """The body with values in place of variables, and buffers in place of buffers."""
    # A parameter is replaced by a buffer that is a parameter too, and by no other.
    buffers = [value for value in values.values() if isinstance(value, tirx.Var)]
    return PrimFunc([*values, *buffers], body).specialize(values).body
