"""A kernel as a function of TVM: what it computes, and the same with the loops of its tiles.

Each stage keeps the loop nest that its own schedule gives it; only the loops over strips become
one.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tvm import s_tir
from tvm.tirx import PrimFunc

from schedules.cpu.border import Border
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.fetching_steps import mark
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.halo import Ring, rows_apart
from schedules.cpu.kernel import Kernel, Stage
from schedules.cpu.moves import Nest, begin_apart
from schedules.cpu.operators import operator
from schedules.cpu.overlap import rows_first, steps_of, strip_tile
from schedules.cpu.phases import FAR_ROWS, READS_APART, STRIP_ROWS
from schedules.cpu.pointwise import Pointwise
from schedules.cpu.prefetch import fetching_ahead
from schedules.cpu.prefetch_results import results_ahead
from schedules.cpu.prefetch_rows import rows_ahead
from schedules.cpu.prefetch_strips import far_rows
from schedules.cpu.prefetch_windows import windows_ahead
from schedules.cpu.shares import Shared, in_shares
from schedules.cpu.sharing import Sharing
from schedules.cpu.strips import Steps, function, in_sequence, in_steps, in_strips, nests_of
from schedules.frame import Frame, Planes
from schedules.program import prim_func, scratch, tensor


def program(kernel: Kernel) -> PrimFunc:
    """The unscheduled function: activations, then constants in stage order, then outputs."""
    return _in_place(_program(kernel.in_strips(kernel.rows)), kernel)


def _program(kernel: Kernel) -> PrimFunc:
    """The same where what is updated is read from tensors of its own, the last parameters.

    No block can be scheduled that reads a tensor and writes it.
    """
    frames = kernel.frames
    with prim_func("main") as builder:
        tensors = {name: _made(tensor, name, frames[name]) for name in kernel.inputs}
        for stage in kernel.stages:
            tensors |= {
                name: tensor(name, shape, stage.constant_dtype)
                for name, shape in stage.constants.items()
            }
        tensors |= {name: _made(tensor, name, frames[name]) for name in kernel.outputs}
        tensors |= {name: _made(scratch, name, frames[name]) for name in kernel.scratch}
        before = {name: _made(tensor, _before(name), frames[name]) for name in kernel.updates}
        for stage in kernel.stages:
            roles = {role: tensors[name] for role, name in stage.reads}
            if stage.writes in before and "residual" in roles:
                roles["residual"] = before[stage.writes]
            prefix = f"{stage.name}_"
            roles |= {name.removeprefix(prefix): tensors[name] for name in stage.constants}
            roles["out"] = tensors[stage.writes]
            operator(stage.work).emit(stage.name, stage.work, roles)
    return builder.get()


def _made(make: Callable[..., Any], name: str, frame: Frame | Planes) -> Any:
    return make(name, frame.shape, frame.dtype)


def _in_place(function: PrimFunc, kernel: Kernel) -> PrimFunc:
    """The function reading what it updates from where it writes it."""
    by_name = {parameter.name: parameter for parameter in function.params}
    return function.specialize({by_name[_before(name)]: by_name[name] for name in kernel.updates})


def _before(name: str) -> str:
    return f"{name}_before"


def scheduled(kernel: Kernel, tiles: Sequence[Any], sharing: Sharing) -> PrimFunc:
    """The function with every stage nested by its tile.

    Where strips overlap cores have to share those, and they have to divide the rows; ValueError if
    they share anything else. A strip is all rows where cores share pixels.
    """
    if kernel.overlaps and sharing != "strips":
        raise ValueError(f"strips overlap, so that cores cannot share {sharing}")
    rows = tiles[-1].strip_rows
    steps = steps_of(rows) if kernel.overlaps else 1
    if kernel.overlaps:
        kernel = kernel.in_strips(rows, steps)
        tiles = [replace(tile, strip_rows=rows // steps) for tile in tiles]
    whole = _program(kernel)
    borders: list[PrimFunc] = []
    strips: list[PrimFunc] = []
    first: list[tuple[int, Any] | None] = []
    shared: list[Shared] = []
    alone = sharing == "stages" or sum(type(s.work) is not Border for s in kernel.stages) == 1
    for part, stage, tile in zip(_parts(whole, kernel), kernel.stages, tiles, strict=True):
        if type(stage.work) is Border:
            borders.append(part)
            continue
        sch = s_tir.Schedule(part)
        nest = schedule_stage(sch, stage, strip_tile(stage, tile), alone)
        strips.append(_fetching_ahead(sch, stage, tile, nest))
        if sharing == "pixels" and not alone:
            shared.append(_shared(sch, stage, tile, nest))
        before = rows_first(stage)
        first.append(None if before is None else (before, sch.get(nest.row).loop_var))
    if kernel.overlaps:
        own = {name: kernel.frames[name] for name in kernel.scratch}
        passing = {
            name: (rows // steps, rows_apart(frame))
            for name, frame in own.items()
            if isinstance(frame, Frame) and not isinstance(frame, Ring)
        }
        made = in_steps(whole, borders, strips, Steps(steps, first, passing))
        made = results_ahead(made, kernel, rows // steps)
        held = {name: frame.halo.held for name, frame in own.items() if isinstance(frame, Ring)}
        held |= {name: sum(both) for name, both in passing.items()}
        return _in_place(made, kernel).with_attr(STRIP_ROWS, held)
    if sharing == "pixels" and not alone:
        return _in_place(in_shares(whole, borders, strips, shared), kernel)
    if alone:
        made = _in_place(in_sequence(whole, borders, strips), kernel)
        target = kernel.stages[-1].work.target
        return made.with_attr(READS_APART, True) if target.pixels == target.images else made
    made = _in_place(in_strips(whole, borders, strips), kernel)
    far = {name: [own.rows, own.later] for name, own in far_rows(kernel, rows).items()}
    made = made.with_attr(FAR_ROWS, far)
    return made.with_attr(STRIP_ROWS, dict.fromkeys(kernel.scratch, rows))


def schedule_stage(sch: s_tir.Schedule, stage: Stage, tile: Any, alone: bool = True) -> Nest:
    """Nest a stage that is all of a function; `alone` if no other stage shares its strips.

    Alone, every strip of every vector block is a task of its own.
    """
    nest: Nest = operator(stage.work).nest(sch, stage.name, stage.work, tile)
    if alone:
        sch.parallel(sch.fuse(*nest.outer))
    if nest.panel is not None:
        mark(sch, nest.sums, nest.panel)
    if nest.sums is not None:
        begin_apart(sch, nest)
    return nest


def _fetching_ahead(sch: s_tir.Schedule, stage: Stage, tile: Any, nest: Nest) -> PrimFunc:
    """The scheduled function of a stage, which fetches ahead where it can."""
    reads = dict(stage.reads)
    if isinstance(stage.work, Depthwise):
        names = f"{stage.name}_sum_update", reads["data"]
        return windows_ahead(sch, nest.reduction, stage.work, tile, names)
    if nest.rows is not None and isinstance(stage.work, FirstConvolution):
        return rows_ahead(sch, nest.rows, stage.work, reads["data"])
    if nest.panel is None:
        return sch.mod["main"]
    return fetching_ahead(sch, nest.panel, f"{stage.name}_weight")


def _shared(sch: s_tir.Schedule, stage: Stage, tile: Any, nest: Nest) -> Shared:
    """The loop over all pixels of a stage, by rows or by tiles."""
    if nest.row is not None:
        return Shared(sch.get(nest.row).loop_var)
    if nest.panel is None or not isinstance(stage.work, Pointwise):
        raise ValueError(f"{stage.name} has no loop over all pixels")
    variable = sch.get(nest.panel.pixels[0]).loop_var
    return Shared(variable, bool(stage.work.source.pixels % tile.columns))


def _parts(whole: PrimFunc, kernel: Kernel) -> list[PrimFunc]:
    """Each stage of an unscheduled function as a function of its own, on the same buffers.

    Scheduling them apart keeps the analysis of one stage from looking at another: that a stage
    writes all that the next one reads cannot be proven where vectors overlap.
    """
    root = whole.body.block
    nests = nests_of([whole])
    local = {buffer.name: buffer for buffer in root.alloc_buffers}
    parameters = [*whole.params, *(local[name] for name in kernel.scratch)]
    parts = []
    for stage in kernel.stages:
        count = operator(stage.work).NESTS
        own, nests = nests[:count], nests[count:]
        held = [buffer for name, buffer in local.items() if name.startswith(f"{stage.name}_")]
        parts.append(function(parameters, own, held, whole.attrs))
    return parts
