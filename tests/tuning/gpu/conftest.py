"""A tiny network as kernels for a GPU: a first convolution, one of groups, a mean, a classifier."""

import pytest
import torch
from torch import nn

from pipeline.build import read_network
from pipeline.gpu.build import calls_on
from pipeline.gpu.calls import Call
from pipeline.gpu.compilers import compiler_named
from pipeline.models import Model
from pipeline.operators import Network
from pipeline.targets import GpuTarget, gpu_target
from pipeline.tune import gpu_kind

NAME = "an emulated GPU"
NVRTC = compiler_named("nvrtc")


@pytest.fixture(scope="session")
def tiny() -> Model:
    module = nn.Sequential(
        nn.Conv2d(3, 12, 3, 2, 1), nn.ReLU(), nn.Conv2d(12, 24, 1, groups=3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10),
    ).eval()  # fmt: skip
    return Model("tiny", module, torch.rand(1, 3, 8, 10), 0, 0, None)


@pytest.fixture(scope="session")
def network(tiny: Model) -> Network:
    return read_network(tiny)


@pytest.fixture(scope="session")
def gpu() -> GpuTarget:
    return gpu_target("h100")


@pytest.fixture(scope="session")
def calls(network: Network, gpu: GpuTarget) -> list[Call]:
    return calls_on(network, gpu)


@pytest.fixture(autouse=True)
def _named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_kind, "gpu_name", lambda: NAME)
