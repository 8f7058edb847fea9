"""Writing the calls of a network as a Relax function over TensorIR functions."""

from collections.abc import Mapping

import numpy as np
from tvm import IRModule, relax
from tvm.tirx import PrimFunc

from pipeline.operators import Network
from pipeline.passes.group_stages import Call
from schedules.cpu.kernel import Kernel


def emit_calls(
    network: Network,
    calls: list[Call],
    constants: Mapping[str, np.ndarray],
    functions: Mapping[Kernel, tuple[str, PrimFunc]],
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
            for call in calls:
                _emit(builder, call, globals_[call.kernel], values, constants)
            result = relax.op.reshape(values[network.result], network.result_shape)
            output = builder.emit_output(result)
        builder.emit_func_output(output)
    return builder.finalize()


def _emit(
    builder: relax.BlockBuilder,
    call: Call,
    function: relax.GlobalVar,
    values: dict[str, relax.Expr],
    constants: Mapping[str, np.ndarray],
) -> None:
    """One call; `values` gains what it writes."""
    kernel = call.kernel
    arguments = [values[call.tensors[name]] for name in kernel.inputs]
    arguments += [
        relax.const(constants[call.constants[name]], "float32")
        for stage in kernel.stages
        for name in stage.constants
    ]
    written = [*kernel.updates, *kernel.outputs]
    types = [relax.TensorType(kernel.frames[name].shape, "float32") for name in written]
    form = types if len(types) > 1 else types[0]
    if kernel.updates:
        places = [kernel.inputs.index(name) for name in kernel.updates]
        places += [-1] * len(kernel.outputs)
        made = builder.emit(relax.op.call_tir_inplace(function, arguments, places, form))
    else:
        made = builder.emit(relax.call_tir(function, arguments, form))
    if len(types) == 1:
        values[call.tensors[written[0]]] = made
        return
    for index, name in enumerate(written):
        values[call.tensors[name]] = builder.emit(relax.TupleGetItem(made, index))
