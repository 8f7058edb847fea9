"""How large a network is, without making it."""

from dataclasses import dataclass

import torch

from pipeline.models.macs import count_macs
from pipeline.models.model import InputSpec
from pipeline.models.zoo import build


@dataclass(frozen=True)
class Size:
    """Multiply-adds for one image, and trainable numbers."""

    macs: int
    parameters: int


def model_size(name: str, spec: InputSpec = InputSpec()) -> Size:  # noqa: B008 - frozen
    """Of a model by name; nothing is computed but shapes."""
    with torch.device("meta"):
        module = build(name, spec.classes).eval()
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Size(count_macs(module, spec.height, spec.width), parameters)
