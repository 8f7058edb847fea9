"""The first stage: from a model's name to a torch module with weights and an example image."""

from pipeline.models.model import InputSpec, Model
from pipeline.models.paper import PaperFigures
from pipeline.models.weights import load_weights
from pipeline.models.zoo import load, names

__all__ = ["InputSpec", "Model", "PaperFigures", "load", "load_weights", "names"]
