"""Writes a model of this project as ONNX; runs where the `onnx` package is.

    python -m pipeline.engines.onnx_export '{"model": ..., "spec": ..., ...}' FILE

The older of torch's two exporters is used: it needs no further package, and folds batch
normalisation into the convolutions, so that every peer starts from the same clean graph. Local
response normalisation it would spell out in small operators; it is written as the one that ONNX
has for it, which every peer knows.
"""

# mypy: disallow-subclassing-any=False

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.models import InputSpec, load

# Understood by every release of the peers since 2022; the networks need nothing newer.
OPSET = 17


class _Normalise(torch.autograd.Function):
    """Local response normalisation as one call."""

    @staticmethod
    def forward(_: Any, x: torch.Tensor, layer: nn.LocalResponseNorm) -> torch.Tensor:
        normalised: torch.Tensor = layer.forward(x)
        return normalised

    @staticmethod
    def symbolic(graph: Any, x: Any, layer: nn.LocalResponseNorm) -> Any:
        return graph.op(
            "LRN", x, size_i=layer.size, alpha_f=layer.alpha, beta_f=layer.beta, bias_f=layer.k
        )


class _OneCall(nn.Module):
    """A local response normalisation that exports as one call."""

    def __init__(self, layer: nn.LocalResponseNorm) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normalised: torch.Tensor = _Normalise.apply(x, self.layer)
        return normalised


def export_onnx(source: str, path: Path) -> None:
    """`source` is JSON with the fields that the torch engine takes."""
    fields = json.loads(source)
    weights = Path(fields["weights"]) if fields["weights"] else None
    model = load(fields["model"], InputSpec(**fields["spec"]), weights, fields["seed"])
    torch.onnx.export(
        _in_one_call(model.module),
        (model.example,),
        str(path),
        dynamo=False,
        input_names=["input"],
        output_names=["output"],
        opset_version=OPSET,
    )


def _in_one_call(module: nn.Module) -> nn.Module:
    """The module with every local response normalisation as one call, in place."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.LocalResponseNorm):
                setattr(parent, name, _OneCall(child))
    return module


if __name__ == "__main__":
    export_onnx(sys.argv[1], Path(sys.argv[2]))
