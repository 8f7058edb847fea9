"""Writes a model of this project as ONNX; runs where the `onnx` package is.

    python -m pipeline.engines.onnx_export '{"model": ..., "spec": ..., ...}' FILE

The older of torch's two exporters is used: it needs no further package, and folds batch
normalisation into the convolutions, so that every peer starts from the same clean graph.
"""

import json
import sys
from pathlib import Path

import torch

from pipeline.models import InputSpec, load

# Understood by every release of the peers since 2022; the networks need nothing newer.
OPSET = 17


def export_onnx(source: str, path: Path) -> None:
    """`source` is JSON with the fields that the torch engine takes."""
    fields = json.loads(source)
    weights = Path(fields["weights"]) if fields["weights"] else None
    model = load(fields["model"], InputSpec(**fields["spec"]), weights, fields["seed"])
    torch.onnx.export(
        model.module,
        (model.example,),
        str(path),
        dynamo=False,
        input_names=["input"],
        output_names=["output"],
        opset_version=OPSET,
    )


if __name__ == "__main__":
    export_onnx(sys.argv[1], Path(sys.argv[2]))
