"""From a torch module to a Relax module that holds its weights."""

import copy

import torch
import tvm
from tvm import relax
from tvm.relax.frontend.torch import from_exported_program


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
    imported = from_exported_program(program, unwrap_unit_return_tuple=True)
    tidy = tvm.transform.Sequential(
        [
            relax.transform.CanonicalizeBindings(),
            relax.transform.DeadCodeElimination(["main"]),
            relax.transform.FoldConstant(),
        ]
    )
    return tidy(imported)
