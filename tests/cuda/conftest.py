"""A small network as kernels with CUDA source, compiled once."""

import pytest

from pipeline.build import read_network
from pipeline.gpu.build import Scheduled, schedule_network
from pipeline.models import InputSpec, Model, load
from pipeline.targets import gpu_target


@pytest.fixture(scope="session")
def small_model() -> Model:
    """Every kind of kernel that there is, but the first 1x1 of a unit with groups."""
    return load("shufflenet-0.25x-g4-se", InputSpec(64, 64, classes=10))


@pytest.fixture(scope="session")
def scheduled(small_model: Model) -> Scheduled:
    """It as kernels for an H100."""
    return schedule_network(read_network(small_model), gpu_target("h100"))
