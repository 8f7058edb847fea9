"""Programs that do at run time what is otherwise done when compiling.

packing_anew:   packed[i] = weight[index[i]]           before each kernel, in each inference
planes_between: frame -> [images, channels, y, x] -> frame          after each kernel
"""

from typing import Any

import numpy as np
from tvm import IRModule, relax, s_tir, te, tirx
from tvm.ir import GlobalVar
from tvm.script.ir_builder import tirx as T

from pipeline.build import Lowered, Served
from pipeline.passes.emit_calls import Hooks
from schedules.cpu.border import Border
from schedules.cpu.first_convolution_paired import PairedFirstConvolution, ordered
from schedules.cpu.kernel import Kernel
from schedules.cpu.operators import operator
from schedules.cpu.paired_sums import paired
from schedules.frame import Frame, Planes
from schedules.program import block, prim_func, tensor

PACK, TO_PLANES, FROM_PLANES = "pack_", "to_planes", "from_planes"
ADDED = (PACK, TO_PLANES, FROM_PLANES)


def packing_anew(lowered: Lowered) -> Hooks:
    """Weights as PyTorch holds them, put in order before they are read."""
    sources = _sources(lowered)

    def constant(
        builder: relax.BlockBuilder, name: str, array: np.ndarray, image: Any
    ) -> relax.Expr:
        if name not in sources:
            return relax.const(array, "float32")
        weight, index = sources[name]
        # With the image among its arguments it is not computed when compiling.
        arguments = [relax.const(weight), relax.const(index), image]
        gather = _gather(len(weight), index.shape, tuple(image.ty.shape))
        function = builder.add_func(_named(gather, PACK + name), PACK + name)
        form = relax.TensorType(array.shape, "float32")
        return builder.emit(relax.call_tir(function, arguments, form))

    return Hooks(constant=constant)


def planes_between() -> Hooks:
    """Every tensor as PyTorch holds it between two kernels."""
    known: dict[Frame, tuple[relax.GlobalVar, relax.GlobalVar]] = {}

    def handed_on(
        builder: relax.BlockBuilder, frame: Frame | Planes, value: relax.Expr
    ) -> relax.Expr:
        if isinstance(frame, Planes) or frame.pixels == frame.images:
            return value
        shape = (frame.images, frame.channels, frame.height, frame.width)
        if frame not in known:
            there, back = f"{TO_PLANES}{len(known)}", f"{FROM_PLANES}{len(known)}"
            known[frame] = (
                builder.add_func(_named(_to_planes(frame), there), there),
                builder.add_func(_named(_from_planes(frame), back), back),
            )
        for function, form in zip(known[frame], (shape, frame.shape), strict=True):
            form = relax.TensorType(form, "float32")
            value = builder.emit(relax.call_tir(function, [value], form))
        return value

    return Hooks(handed_on=handed_on)


def parallel_loops(module: IRModule, lowered: Lowered, served: dict[Kernel, Served]) -> int:
    """How many loops of an inference run on all cores."""
    bindings = [one.value for block in module["main"].body.blocks for one in block.bindings]
    called = [one.args[0].name_hint for one in bindings if _calls_function(one)]
    added = sum(name.startswith(ADDED) for name in called)
    kernels = sum(_loops(call.kernel, served[call.kernel]) for call in lowered.calls)
    return int(added) + kernels


def _calls_function(value: Any) -> bool:
    return isinstance(value, relax.Call) and isinstance(value.args[0], GlobalVar)


def _loops(kernel: Kernel, served: Served) -> int:
    stages = sum(not isinstance(stage.work, Border) for stage in kernel.stages)
    if served.source == "default":
        return 0
    return 1 if served.tile.sharing == "strips" else stages


def _sources(lowered: Lowered) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of every packed weight the weight, with a zero before it, and where each value is from."""
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    by_number = dict(enumerate(lowered.network.operators))
    for stage in lowered.layout.stages:
        step = by_number[int(stage.name.rpartition("_")[0].removeprefix(_kind(stage.name)))]
        if step.weight is None or step.kind == "channelwise":
            continue
        values, order = step.weight, operator(stage.work).pack
        if isinstance(stage.work, PairedFirstConvolution):
            # Sums of weights stay sums.
            values, order = paired(values), ordered
        # What is packed of the numbers of the weights tells where each weight goes.
        numbers = np.arange(1, values.size + 1).reshape(values.shape)
        packed = order(stage.work, numbers, np.zeros(len(numbers), "int64"))
        weight = np.concatenate([np.zeros(1, "float32"), values.reshape(-1)])
        found |= {
            f"{stage.name}_{role}": (weight, array.astype("int32"))
            for role, array in packed.items()
            if array.any()
        }
    return found


def _kind(name: str) -> str:
    """The kind of operator in a stage's name: "pointwise3_0"."""
    return name.rpartition("_")[0].rstrip("0123456789")


def _gather(count: int, shape: tuple[int, ...], image: tuple[Any, ...]) -> tirx.PrimFunc:
    """packed[i] = weight[index[i]], on all cores."""
    weight = te.placeholder((count,), "float32", "weight")
    index = te.placeholder(shape, "int32", "index")
    unread = te.placeholder([int(extent) for extent in image], "float32", "image")
    packed = te.compute(shape, lambda *at: weight[index[at]], "packed")
    return _on_all_cores(te.create_prim_func([weight, index, unread, packed]), "packed")


def _to_planes(frame: Frame) -> tirx.PrimFunc:
    with prim_func("main") as builder:
        data = tensor("data", frame.shape)
        out = tensor("out", (frame.images, frame.channels, frame.height, frame.width))
        axes = {"n": frame.images, "y": frame.height, "x": frame.width, "c": frame.channels}
        with block("planes", axes) as (n, y, x, c):
            value = data[frame.at(n * frame.height + y, x, c)]
            T.buffer_store(out, value, [n, c, y, x])
    return _on_all_cores(builder.get(), "planes")


def _from_planes(frame: Frame) -> tirx.PrimFunc:
    rows, width, _ = frame.shape
    with prim_func("main") as builder:
        data = tensor("data", (frame.images, frame.channels, frame.height, frame.width))
        out = tensor("out", frame.shape)
        with block("frame", {"r": rows, "x": width, "c": frame.channels}) as (r, x, c):
            tall = frame.height + 2 * frame.border
            n, y, column = r // tall, r % tall - frame.border, x - frame.border
            inside = tirx.all(y >= 0, y < frame.height, column >= 0, column < frame.width)
            value = tirx.if_then_else(inside, data[n, c, y, column], tirx.const(0.0, "float32"))
            T.buffer_store(out, value, [r, x, c])
    return _on_all_cores(builder.get(), "frame")


def _named(function: tirx.PrimFunc, name: str) -> tirx.PrimFunc:
    return function.with_attr("global_symbol", name)


def _on_all_cores(function: tirx.PrimFunc, name: str) -> tirx.PrimFunc:
    """The outermost loops as one parallel one; the innermost is left to the compiler."""
    sch = s_tir.Schedule(function)
    outer = sch.get_loops(sch.get_sblock(name))[:-1]
    if outer:
        sch.parallel(sch.fuse(*outer))
    return sch.mod["main"]
