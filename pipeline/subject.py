"""What is measured: a model and the bundle made of it."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.check import Array, random_inputs
from pipeline.models import InputSpec, Model
from pipeline.results import Sources
from schedules.gpu import Gpu

# Images on which every engine is compared with PyTorch, and the fewest inputs that hold them: an
# engine that gave its first answer again would be right on one.
IMAGES, INPUTS = 8, 2


@dataclass(frozen=True)
class Subject:
    """What is measured: a model and the bundle made of it for this machine.

    `weights` and `seed` are those that `model` was loaded with. `lanes` and `accumulators` are
    the floats of a vector and how many vectors the registers can accumulate; of what runs on a GPU
    they say nothing.
    """

    model: Model
    weights: Path | None
    seed: int
    bundle: Path
    target_name: str
    target: object
    lanes: int
    accumulators: int
    family: str
    schedule_sources: Sources | None = None
    peak_activation_bytes: int | None = None
    device: str = "local"
    gpu: Gpu | None = None
    dtype: str = "float32"

    @property
    def model_source(self) -> dict[str, Any]:
        """What the engines that read a model by name load."""
        height, width = self.model.input_size
        classes = int(self.reference([self.model.example.numpy()])[0].shape[-1])
        spec = InputSpec(height, width, self.model.batch, classes)
        return {
            "model": self.model.name,
            "spec": dataclasses.asdict(spec),
            "weights": str(self.weights.resolve()) if self.weights else None,
            "seed": self.seed,
            "target": self.target_name,
            "family": self.family,
        }

    def images(self) -> list[Array]:
        """The inputs for the comparison of outputs; the first is also what is timed."""
        count = max(INPUTS, IMAGES // self.model.batch)
        return random_inputs(self.model.example.shape, count, self.seed)

    def reference(self, images: Sequence[Array]) -> list[Array]:
        """PyTorch's outputs."""
        with torch.inference_mode():
            return [self.model.module(torch.from_numpy(image)).numpy() for image in images]
