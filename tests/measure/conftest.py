"""A small network, compiled by TVM as it comes, and one seed for everything."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
import tvm
from torch import nn
from tvm import relax
from tvm.relax.frontend.torch import from_exported_program

from pipeline.check import Array, random_inputs

SEED = 20
SHAPE = (1, 3, 48, 48)


@pytest.fixture(scope="session")
def network() -> nn.Module:
    """Two convolutions and a classifier with 10 classes."""
    logging.getLogger(__name__).warning("seed %d", SEED)
    torch.manual_seed(SEED)
    layers = [nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 1, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)).eval()


@pytest.fixture(scope="session")
def images() -> list[Array]:
    return random_inputs(SHAPE, 2, SEED)


@pytest.fixture(scope="session")
def expected(network: nn.Module, images: list[Array]) -> list[Array]:
    with torch.inference_mode():
        return [network(torch.from_numpy(image)).numpy() for image in images]


@pytest.fixture(scope="session")
def bundle(network: nn.Module, images: list[Array], tmp_path_factory: pytest.TempPathFactory):
    """A folder with model.so."""
    folder: Path = tmp_path_factory.mktemp("bundle")
    with torch.no_grad():
        exported = torch.export.export(network, (torch.from_numpy(images[0]),))
    module = from_exported_program(exported, unwrap_unit_return_tuple=True)
    target = tvm.target.Target({"kind": "llvm"})
    with target:
        module = relax.get_pipeline("zero")(module)
    relax.build(module, target=target).export_library(str(folder / "model.so"))
    return folder


@pytest.fixture
def data() -> Array:
    return np.arange(4, dtype=np.float32)
