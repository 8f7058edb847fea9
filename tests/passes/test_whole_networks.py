import functools

import pytest
import tvm

from pipeline.frontend import import_model
from pipeline.models import InputSpec, load
from pipeline.passes.fold_batch_norm import FoldBatchNorm
from pipeline.passes.fuse_channel_shuffle import FuseChannelShuffle
from pipeline.passes.rewriting import array_of, shape_of
from pipeline.passes.sink_channel_shuffle import SinkChannelShuffle
from tests.passes.relax_modules import assert_computes, calls, operators, users

# Each of 50 layers rounds: a few times the error of one.
NETWORK_TOLERANCE = 2e-5
UNITS = 16
SHUFFLENETS = [
    "shufflenet-0.25x-g1-shallow",
    "shufflenet-0.5x-g3",
    "shufflenet-0.25x-g8-se-shallow",
]
NETWORKS = [*SHUFFLENETS, "mobilenet-0.25"]


@functools.cache
def network(name):
    """The network for two images, and what the passes make of it."""
    model = load(name, InputSpec(64, 64, batch=2, classes=10))
    passes = [FoldBatchNorm(), FuseChannelShuffle(), SinkChannelShuffle()]
    return model, tvm.transform.Sequential(passes)(import_model(model.module, model.example))


@pytest.mark.parametrize("name", NETWORKS)
def test_numbers_are_those_of_torch(name):
    model, mod = network(name)
    assert_computes(mod, model.module, model.example, NETWORK_TOLERANCE)


@pytest.mark.parametrize("name", SHUFFLENETS)
def test_each_shuffle_is_how_a_pointwise_convolution_reads(name):
    _, mod = network(name)
    takes = calls(mod, "take")
    assert bool(takes) == ("g1" not in name)
    for take in takes:
        (conv,) = users(mod, take)
        assert shape_of(conv.args[1])[2:] == (1, 1)
        assert conv.attrs.groups > 1


@pytest.mark.parametrize("name", NETWORKS)
def test_every_convolution_is_followed_by_its_bias(name):
    _, mod = network(name)
    for conv in calls(mod, "nn.conv2d"):
        (addition,) = users(mod, conv)
        assert array_of(addition.args[1]).shape == (1, shape_of(conv)[1], 1, 1)


def test_operators_of_shufflenet():
    _, mod = network("shufflenet-0.5x-g3")
    assert operators(mod) == {
        "nn.conv2d": 1 + 3 * UNITS,
        "add": 1 + 3 * UNITS + 13 + 1,  # biases, sums, classifier
        "nn.relu": 1 + 2 * UNITS,
        "take": UNITS,
        "concat": 3,
        "nn.avg_pool2d": 3,
        "nn.max_pool2d": 1,
        "nn.adaptive_avg_pool2d": 1,
        "reshape": 1,
        "matmul": 1,
    }


def test_operators_of_mobilenet():
    _, mod = network("mobilenet-0.25")
    assert operators(mod) == {
        "nn.conv2d": 27,
        "add": 28,
        "nn.relu": 27,
        "nn.adaptive_avg_pool2d": 1,
        "reshape": 1,
        "matmul": 1,
    }
