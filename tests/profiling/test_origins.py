"""Operators of compiled networks find the PyTorch modules that they came from."""

import pytest
import torch

from pipeline import InputSpec, load, lower, target_named
from pipeline.profiling.origins import common_path, origins

SMALL = InputSpec(64, 64)
# Strides, concatenation, dense first unit, squeeze and excitation, odd sizes, the opponent.
NETWORKS = {
    "shufflenet-0.25x-g1": SMALL,
    "shufflenet-0.5x-g3": InputSpec(96, 65),
    "shufflenet-0.5x-g4-se": SMALL,
    "mobilenet-0.25": SMALL,
    "squeezenet-1.0": SMALL,
    "alexnet": SMALL,
}
# The layer that a module has to be, by the kind of an operator.
LAYERS = {
    "max_pool": torch.nn.MaxPool2d,
    "average_pool": torch.nn.AvgPool2d,
    "mean": torch.nn.AdaptiveAvgPool2d,
    "adaptive_pool": torch.nn.AdaptiveAvgPool2d,
    "normalisation": torch.nn.LocalResponseNorm,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_operator_is_found_once_and_has_the_weights_of_its_module(name):
    model = load(name, NETWORKS[name])
    network = lower(model, target_named("host")).network
    found = origins(model.module, model.example, network)
    modules = dict(model.module.named_modules())
    for step, path in zip(network.operators, found, strict=True):
        layer = modules[path]
        if step.weight is not None:
            assert layer.weight.numel() == step.weight.size, path
            assert getattr(layer, "groups", 1) == step.groups, path
        elif step.kind in LAYERS:
            assert isinstance(layer, LAYERS[step.kind]), path
    assert len(set(found)) == len(found)
    convolutions = (torch.nn.Conv2d, torch.nn.Linear)
    weighted = [path for path, layer in modules.items() if isinstance(layer, convolutions)]
    assert [path for path in found if path in set(weighted)] == weighted


def test_what_modules_share_is_their_innermost_common_module():
    unit = "features.stage1.unit2"
    assert common_path([f"{unit}.dw_conv2", f"{unit}.expand_conv3"]) == unit
    assert common_path(["features.stage1.unit2.a", "features.stage1.unit20.a"]) == "features.stage1"
    assert common_path(["output"]) == "output"
    assert common_path(["", ""]) == ""
