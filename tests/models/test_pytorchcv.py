"""Our networks against the independent ones of pytorchcv, with the same weights."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline.models import InputSpec, load

shufflenet = pytest.importorskip("pytorchcv.models.shufflenet", reason="pip install pytorchcv")
mobilenet = pytest.importorskip("pytorchcv.models.mobilenet", reason="pip install pytorchcv")

# Relative to the largest logit: the same float32 operations in the same order, so only rounding.
TOLERANCE = 1e-5

NETWORKS = {
    **{f"shufflenet-1.0x-g{g}": (shufflenet.get_shufflenet, (g, 1.0)) for g in (1, 2, 3, 4, 8)},
    "shufflenet-0.5x-g3": (shufflenet.get_shufflenet, (3, 0.5)),
    "shufflenet-0.25x-g1": (shufflenet.get_shufflenet, (1, 0.25)),
    "mobilenet-1.0": (mobilenet.get_mobilenet, (1.0,)),
    "mobilenet-0.25": (mobilenet.get_mobilenet, (0.25,)),
}


def theirs(name: str) -> nn.Module:
    """Random weights, running statistics away from 0 and 1, and a mean over any image size."""
    make, arguments = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = make(*arguments).eval()
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.uniform_(layer.bias, -0.5, 0.5)
                layer.running_mean.uniform_(-0.5, 0.5)
                layer.running_var.uniform_(0.5, 1.5)
    network.features.final_pool = nn.AdaptiveAvgPool2d(1)
    return network


def save(state: dict[str, torch.Tensor], path) -> None:
    if path.suffix == ".safetensors":
        save_file(state, path)
    elif path.stem == "renamed":
        torch.save(
            {f"{i}.{key.rpartition('.')[2]}": t for i, (key, t) in enumerate(state.items())}, path
        )
    else:
        torch.save(state, path)


@pytest.mark.parametrize("file", ["weights.pth", "renamed.pth", "weights.safetensors"])
@pytest.mark.parametrize("name", NETWORKS)
def test_same_weights_give_the_same_logits(name, file, tmp_path):
    oracle = theirs(name)
    save(oracle.state_dict(), tmp_path / file)
    ours = load(name, InputSpec(96, 96, batch=2), weights=tmp_path / file)
    with torch.no_grad():
        expected, found = oracle(ours.example), ours.module(ours.example)
    assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max()
    assert ours.parameters == sum(parameter.numel() for parameter in oracle.parameters())
