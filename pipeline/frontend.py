"""From a torch module to a Relax module that holds its weights."""

import copy
from typing import Any

import torch
import tvm
from tvm import relax
from tvm.relax.frontend.torch import from_exported_program

# Calls of aten that TVM reads as they are; batch_norm by `_batch_norm`.
READ_WHOLE = {
    "adaptive_avg_pool2d.default", "add.Tensor", "avg_pool2d.default", "avg_pool3d.default",
    "batch_norm.default", "cat.default", "contiguous.default", "conv2d.default", "div.Tensor",
    "dropout.default", "flatten.using_ints", "linear.default", "max_pool2d.default", "mul.Tensor",
    "pad.default", "pow.Tensor_Scalar", "relu.default", "sigmoid.default", "squeeze.dim",
    "transpose.int", "view.default",
}  # fmt: skip


def export_program(module: torch.nn.Module, example: torch.Tensor) -> torch.export.ExportedProgram:
    """The calls that `module` makes in inference, each with the modules that it was made in."""
    # Constants share memory with the tensors they come from: the copy is what they keep alive.
    own = copy.deepcopy(module).eval().requires_grad_(False)
    return torch.export.export(own, (example,))


def import_model(module: torch.nn.Module, example: torch.Tensor) -> tvm.IRModule:
    """The inference of `module` on a tensor shaped as `example`, as function `main`.

    It takes one tensor and returns one; shapes are static, weights are constants. Nothing is left
    of what torch.export leaves for other uses: no tuple of outputs, no pooling indices, no
    reshape of a constant.
    """
    program = export_program(module, example)
    calls = [node for node in program.graph.nodes if node.op == "call_function"]
    imported = from_exported_program(
        program,
        unwrap_unit_return_tuple=True,
        # PyTorch takes calls apart by tracing all of them once more, as long as all the rest takes.
        run_ep_decomposition=not all(map(_is_read_whole, calls)),
        custom_convert_map={"batch_norm.default": _batch_norm},
    )
    tidy = tvm.transform.Sequential(
        [
            relax.transform.CanonicalizeBindings(),
            relax.transform.DeadCodeElimination(["main"]),
            relax.transform.FoldConstant(),
        ]
    )
    return tidy(imported)


def _is_read_whole(call: torch.fx.Node) -> bool:
    """Whether TVM needs no part of a call; of batch_norm where it has all weights and statistics,
    and these are not to be taken from the image."""
    name = call.target.__name__
    if name == "batch_norm.default" and (None in call.args or call.args[5]):
        return False
    return name in READ_WHOLE


def _batch_norm(node: torch.fx.Node, importer: Any) -> relax.Var:
    """`aten.batch_norm`, of which TVM takes the momentum for epsilon where it is read whole."""
    *tensors, _, momentum, epsilon, _ = node.args
    operands = [importer.env[tensor] for tensor in tensors]
    call = relax.op.nn.batch_norm(
        *operands, axis=1, epsilon=epsilon, momentum=momentum, training=False
    )
    return importer.block_builder.emit(importer.block_builder.emit(call)[0])
