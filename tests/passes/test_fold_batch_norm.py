import numpy as np
import pytest
import tvm
from torch import nn

from pipeline.frontend import import_model
from pipeline.passes.fold_batch_norm import FoldBatchNorm
from pipeline.passes.rewriting import array_of
from tests.passes.relax_modules import (
    Apply,
    assert_computes,
    calls,
    operators,
    random_image,
    randomised,
    users,
)

EXAMPLE = random_image(2, 8, 5, 5)


def folded(module, example=EXAMPLE):
    mod = FoldBatchNorm()(import_model(module, example))
    assert_computes(mod, module, example)
    return mod


def chain(*layers):
    return randomised(nn.Sequential(*layers))


CONVOLUTIONS = {
    "dense": {"out_channels": 6, "kernel_size": 3, "stride": 2},
    "pointwise": {"out_channels": 6, "kernel_size": 1},
    "grouped": {"out_channels": 12, "kernel_size": 1, "groups": 4},
    "depthwise": {"out_channels": 8, "kernel_size": 3, "padding": 1, "groups": 8},
    "two outputs a channel": {"out_channels": 16, "kernel_size": 3, "groups": 8},
}


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_batch_norm_becomes_weight_and_bias(convolution, bias):
    conv = nn.Conv2d(8, **CONVOLUTIONS[convolution], bias=bias)
    mod = folded(chain(conv, nn.BatchNorm2d(conv.out_channels)))
    assert operators(mod) == {"nn.conv2d": 1, "add": 1}
    (addition,) = calls(mod, "add")
    assert array_of(addition.args[1]).shape == (1, conv.out_channels, 1, 1)


def test_folded_constants_are_rounded_once():
    conv, norm = nn.Conv2d(8, 6, 1), nn.BatchNorm2d(6)
    (call,) = calls(folded(chain(conv, norm)), "nn.conv2d")
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    exact = conv.weight.double() * scale[:, None, None, None]
    weight = array_of(call.args[1])
    assert weight.dtype == "float32"
    assert (weight == exact.detach().numpy().astype("float32")).all()


def test_convolution_without_batch_norm_keeps_its_bias():
    mod = folded(chain(nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 6, 1, bias=False)))
    assert operators(mod) == {"nn.conv2d": 2, "add": 1, "nn.relu": 1}


def test_each_of_several_convolutions_is_folded():
    pairs = [(nn.Conv2d(8, 8, 1, groups=2), nn.BatchNorm2d(8), nn.ReLU()) for _ in range(3)]
    mod = folded(chain(*(layer for pair in pairs for layer in pair)))
    assert operators(mod) == {"nn.conv2d": 3, "add": 3, "nn.relu": 3}


@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm_without_convolution_multiplies_and_adds(affine):
    mod = folded(chain(nn.BatchNorm2d(8, affine=affine), nn.ReLU()))
    assert operators(mod) == {"multiply": 1, "add": 1, "nn.relu": 1}


def test_batch_norm_of_vectors():
    mod = folded(chain(nn.BatchNorm1d(8)), random_image(3, 8))
    assert operators(mod) == {"multiply": 1, "add": 1}


def test_convolution_with_another_reader_is_computed_once_and_stays():
    def both(x, conv, norm):
        y = conv(x)
        return norm(y) * y

    layers = randomised(nn.ModuleList([nn.Conv2d(8, 6, 1, bias=False), nn.BatchNorm2d(6)]))
    mod = folded(Apply(both, *layers))
    assert operators(mod) == {"nn.conv2d": 1, "multiply": 2, "add": 1}


def test_addition_of_an_image_is_no_bias():
    layers = randomised(nn.ModuleList([nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8)]))
    mod = folded(Apply(lambda x, conv, norm: norm(conv(x) + x), *layers))
    assert operators(mod) == {"nn.conv2d": 1, "multiply": 1, "add": 2}


def test_every_convolution_is_followed_by_its_bias():
    mod = folded(chain(nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 6, 1), nn.BatchNorm2d(6)))
    for conv in calls(mod, "nn.conv2d"):
        (addition,) = users(mod, conv)
        assert array_of(addition.args[1]).shape[0::2] == (1, 1)
        assert np.isfinite(array_of(addition.args[1])).all()


def test_network_without_batch_norm_is_untouched():
    before = import_model(chain(nn.Conv2d(8, 6, 1), nn.ReLU(), nn.Flatten()), EXAMPLE)
    tvm.ir.assert_structural_equal(FoldBatchNorm()(before), before)
