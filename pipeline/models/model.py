"""The records of the model stage: what is asked for and what comes back."""

from dataclasses import dataclass

import torch
from torch import nn

from pipeline.errors import RequestError
from pipeline.models.paper import PaperFigures

# All networks halve the image five times; 64 pixels leave 2x2 for the last stage.
SMALLEST_SIDE = 64
LARGEST_SIDE = 4096
LARGEST_BATCH = 128


@dataclass(frozen=True)
class InputSpec:
    """What a network is built for: `batch` images of height x width pixels, told into classes."""

    height: int = 224
    width: int = 224
    batch: int = 1
    classes: int = 1000


@dataclass(frozen=True)
class Model:
    """A network ready for inference.

    `example` is a float32 tensor [batch, 3, height, width]. `macs` counts the multiply-adds of
    convolutions and classifier for one image of that size; `parameters` counts trainable numbers.
    """

    name: str
    module: nn.Module
    example: torch.Tensor
    macs: int
    parameters: int
    paper: PaperFigures | None

    @property
    def batch(self) -> int:
        """Images per inference."""
        return int(self.example.shape[0])

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.example.shape[2]), int(self.example.shape[3])


def check_spec(spec: InputSpec) -> None:
    """Raise RequestError unless every network can be built for `spec`."""
    for side in (spec.height, spec.width):
        if not SMALLEST_SIDE <= side <= LARGEST_SIDE:
            raise RequestError(
                f"input size {spec.height}x{spec.width} is out of range; "
                f"each side must be {SMALLEST_SIDE} to {LARGEST_SIDE} pixels"
            )
    if not 1 <= spec.batch <= LARGEST_BATCH:
        raise RequestError(f"batch {spec.batch} is out of range; use 1 to {LARGEST_BATCH}")
    if spec.classes < 1:
        raise RequestError(f"{spec.classes} classes cannot be told apart; use 1 or more")
