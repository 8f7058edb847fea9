"""Writing the calls of a network as a Relax function over kernels."""

from collections.abc import Mapping, Sequence

from tvm import IRModule, relax
from tvm.tirx import PrimFunc

from pipeline.errors import RequestError
from pipeline.gpu.calls import Call
from pipeline.operators import Network
from pipeline.passes.lay_out import EDGE
from schedules.cuda.operators import Work, signature

# TVM's words for a programmatic dependent launch.
EARLY = {"tirx.kernel_launch_params": ["tirx.use_programtic_dependent_launch"]}


def emit(
    network: Network,
    calls: Sequence[Call],
    functions: Mapping[Work, tuple[str, PrimFunc]],
    early: bool = False,
) -> IRModule:
    """ "main" from the images to the result, and the function of every kernel by its name; `early`
    lets a kernel be launched before the one before it has ended."""
    builder = relax.BlockBuilder()
    image = relax.Var("image", relax.TensorType(network.shapes[network.source], EDGE))
    with builder.function("main", [image]):
        with builder.dataflow():
            kernels = {
                work: builder.add_func(named(function, name, early), name)
                for work, (name, function) in functions.items()
            }
            values: dict[str, relax.Expr] = {network.source: image}
            for call in calls:
                _emit(builder, call, kernels[call.work], values)
            images, channels, height, width = network.shapes[network.result]
            if (images, channels) != network.result_shape or height * width > 1:
                raise RequestError("on GPUs a network ends in one row of values an image")
            output = builder.emit_output(values[network.result])
        builder.emit_func_output(output)
    return builder.finalize()


def named(function: PrimFunc, name: str, early: bool) -> PrimFunc:
    """The function under its name, left alone by TVM's own schedules; see `emit` for `early`."""
    attributes = {"global_symbol": name, "tirx.is_scheduled": True}
    made: PrimFunc = function.with_attr(attributes | (EARLY if early else {}))
    return made


def _emit(
    builder: relax.BlockBuilder,
    call: Call,
    kernel: relax.GlobalVar,
    values: dict[str, relax.Expr],
) -> None:
    """One call; `values` gains what it writes."""
    own = signature(call.work)
    arguments = [values[call.reads[role]] for role in own.inputs]
    arguments += [
        relax.const(call.constants[role], one.dtype) for role, one in own.constants.items()
    ]
    types = [relax.TensorType(one.shape, one.dtype) for one in own.outputs.values()]
    written = [call.writes[role] for role in own.outputs]
    partial = written[0] in values and written[0] not in call.reads.values()
    if len(written) == 1 and partial:
        # Another kernel has written other channels of the tensor. What a kernel reads it does not
        # write in place: its blocks read each other's pixels.
        whole = [*arguments, values[written[0]]]
        values[written[0]] = builder.emit(
            relax.op.call_tir_inplace(kernel, whole, [len(arguments)], types[0])
        )
        return
    made = builder.emit(relax.call_tir(kernel, arguments, types if len(types) > 1 else types[0]))
    if len(types) == 1:
        values[written[0]] = made
        return
    for index, name in enumerate(written):
        values[name] = builder.emit(relax.TupleGetItem(made, index))
