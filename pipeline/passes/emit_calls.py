"""Writing the calls of a network as a Relax function over TensorIR functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import IRModule, relax
from tvm.tirx import PrimFunc

from pipeline.operators import Network
from pipeline.passes.group_stages import Call
from schedules.cpu.kernel import Kernel
from schedules.frame import Frame, Planes


def _constant(builder: relax.BlockBuilder, name: str, array: np.ndarray, image: Any) -> relax.Expr:
    return relax.const(array)


def _as_it_is(builder: relax.BlockBuilder, frame: Frame | Planes, value: relax.Expr) -> relax.Expr:
    return value


def _nothing(builder: relax.BlockBuilder) -> None:
    return


@dataclass(frozen=True)
class Hooks:
    """How a kernel comes by a packed constant, and how a tensor goes from one kernel to others.

    `constant` gets the constant's name and value, and the image; `handed_on` the tensor's frame.
    `between` is called before the first kernel and after each, and `beside` gives what the network
    returns beside its result.
    """

    constant: Callable[[relax.BlockBuilder, str, np.ndarray, Any], relax.Expr] = _constant
    handed_on: Callable[[relax.BlockBuilder, Frame | Planes, relax.Expr], relax.Expr] = _as_it_is
    between: Callable[[relax.BlockBuilder], None] = _nothing
    beside: Callable[[], list[relax.Expr]] = list


PLAIN = Hooks()


def emit_calls(
    network: Network,
    calls: list[Call],
    constants: Mapping[str, np.ndarray],
    functions: Mapping[Kernel, tuple[str, PrimFunc]],
    hooks: Hooks = PLAIN,
) -> IRModule:
    """ "main" from the images to the result, and the function of every kernel by its name."""
    builder = relax.BlockBuilder()
    source = relax.Var("image", relax.TensorType(network.shapes[network.source], "float32"))
    with builder.function("main", [source]):
        with builder.dataflow():
            globals_ = {
                kernel: builder.add_func(function.with_attr("global_symbol", name), name)
                for kernel, (name, function) in functions.items()
            }
            values = {network.source: source}
            hooks.between(builder)
            for call in calls:
                packed = [
                    hooks.constant(builder, name, constants[name], source)
                    for name in call.constants_in_order
                ]
                made = _emit(builder, call, globals_[call.kernel], values, packed)
                for name, value in made.items():
                    frame = call.kernel.frames[name]
                    values[call.tensors[name]] = hooks.handed_on(builder, frame, value)
                hooks.between(builder)
            result = relax.op.reshape(values[network.result], network.result_shape)
            more = hooks.beside()
            output = builder.emit_output(relax.Tuple([result, *more]) if more else result)
        builder.emit_func_output(output)
    return builder.finalize()


def _emit(
    builder: relax.BlockBuilder,
    call: Call,
    function: relax.GlobalVar,
    values: dict[str, relax.Expr],
    constants: list[relax.Expr],
) -> dict[str, relax.Expr]:
    """One call; gives what it writes, by the kernel's names."""
    kernel = call.kernel
    arguments = [values[call.tensors[name]] for name in kernel.inputs]
    arguments += constants
    written = [*kernel.updates, *kernel.outputs]
    frames = [kernel.frames[name] for name in written]
    types = [relax.TensorType(frame.shape, frame.dtype) for frame in frames]
    form = types if len(types) > 1 else types[0]
    if kernel.updates:
        places = [kernel.inputs.index(name) for name in kernel.updates]
        places += [-1] * len(kernel.outputs)
        made = builder.emit(relax.op.call_tir_inplace(function, arguments, places, form))
    else:
        made = builder.emit(relax.call_tir(function, arguments, form))
    if len(types) == 1:
        return {written[0]: made}
    return {
        name: builder.emit(relax.TupleGetItem(made, index)) for index, name in enumerate(written)
    }
