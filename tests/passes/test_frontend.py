import pytest
import torch
from torch import nn

from pipeline.frontend import import_model
from tests.passes.relax_modules import (
    Apply,
    assert_computes,
    operators,
    random_image,
    randomised,
    run,
)


@pytest.fixture
def network():
    layers = (
        nn.Conv2d(3, 4, 3, bias=True),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 5),
    )
    return randomised(nn.Sequential(*layers))


def test_main_takes_one_tensor_and_returns_one(network):
    main = import_model(network, random_image(2, 3, 6, 6))["main"]
    (image,) = main.params
    assert [int(extent) for extent in image.ty.shape] == [2, 3, 6, 6]
    assert [int(extent) for extent in main.ret_ty.shape] == [2, 5]
    assert image.ty.dtype.dtype == main.ret_ty.dtype.dtype == "float32"


def test_only_operators_of_the_network_are_left(network):
    found = operators(import_model(network, random_image(1, 3, 6, 6)))
    layers = {"nn.conv2d", "nn.batch_norm", "nn.relu", "nn.max_pool2d", "reshape", "matmul"}
    assert found == dict.fromkeys(layers, 1) | {"add": 2}


def test_numbers_are_those_of_torch(network):
    example = random_image(2, 3, 6, 6)
    assert_computes(import_model(network, example), network, example)


def test_module_in_training_mode_is_imported_for_inference_and_left_alone(network):
    example = random_image(1, 3, 6, 6)
    mod = import_model(network.train(), example)
    assert all(layer.training for layer in network.modules())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert_computes(mod, network, example)


def test_later_changes_of_the_torch_module_do_not_reach_the_import(network):
    example = random_image(1, 3, 6, 6)
    mod = import_model(network, example)
    before = run(mod, example)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert (run(mod, example) == before).all()


def test_weights_in_channels_last_order_are_read_right(network):
    example = random_image(1, 3, 6, 6)
    network = network.to(memory_format=torch.channels_last)
    assert_computes(import_model(network, example), network, example)


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_grouped_convolution(groups):
    module = Apply(lambda x, conv: conv(x), randomised(nn.Conv2d(8, 8, 3, groups=groups)))
    example = random_image(1, 8, 5, 5)
    assert_computes(import_model(module, example), module, example)
