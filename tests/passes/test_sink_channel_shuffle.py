import pytest
import torch
import tvm
from torch import nn
from torch.nn import functional as F

from pipeline.frontend import import_model
from pipeline.passes.fold_batch_norm import FoldBatchNorm
from pipeline.passes.fuse_channel_shuffle import FuseChannelShuffle
from pipeline.passes.sink_channel_shuffle import SinkChannelShuffle
from tests.passes.relax_modules import (
    Apply,
    assert_computes,
    calls,
    operator,
    operators,
    random_image,
    randomised,
    users,
)

EXAMPLE = random_image(2, 8, 5, 5)


def shuffled(module, example=EXAMPLE):
    return FuseChannelShuffle()(import_model(module, example))


def sunk(module, example=EXAMPLE):
    mod = SinkChannelShuffle()(shuffled(module, example))
    assert_computes(mod, module, example)
    return mod


def names(mod):
    return [operator(call) for call in calls(mod)]


def shuffle(x):
    return torch.channel_shuffle(x, 2)


def unshuffle(x):
    return torch.channel_shuffle(x, x.shape[1] // 2)


def depthwise(channels=8, **options):
    return randomised(nn.Conv2d(channels, channels, 3, groups=channels, **options))


def grouped(channels=8, groups=2):
    return randomised(nn.Conv2d(channels, channels, 1, groups=groups, bias=False))


PER_CHANNEL = torch.arange(8.0).view(1, 8, 1, 1)
PER_PIXEL = torch.arange(25.0).view(5, 5)
PER_VALUE = torch.arange(200.0).view(8, 5, 5)
TRANSPOSED = torch.arange(8).view(2, 4).t().reshape(-1)

PASSED = {
    "relu": torch.relu,
    "clip": lambda x: F.relu6(x),
    "sigmoid": torch.sigmoid,
    "max pool": lambda x: F.max_pool2d(x, 3, 2, 1),
    "average pool": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "one constant": lambda x: x * 3.0,
    "channel constant": lambda x: PER_CHANNEL - x,
    "image constant": lambda x: x + PER_PIXEL,
    "channel and image constant": lambda x: x * PER_VALUE,
}


@pytest.mark.parametrize("function", PASSED)
def test_take_passes_what_acts_on_each_channel(function):
    mod = sunk(Apply(lambda x: PASSED[function](shuffle(x))))
    assert len(calls(mod)) == 2
    assert names(mod)[-1] == "take"


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1, "bias": False}], ids=str)
def test_take_passes_a_depthwise_convolution_and_its_bias(options):
    mod = sunk(Apply(lambda x, conv: conv(shuffle(x)), depthwise(**options)))
    bias = ["add"] if options.get("bias", True) else []
    assert names(mod) == ["nn.conv2d", *bias, "take"]


def test_take_passes_a_batch_norm():
    norm = randomised(nn.BatchNorm2d(8))
    mod = sunk(Apply(lambda x, norm: torch.relu(norm(shuffle(x))), norm))
    assert names(mod) == ["nn.batch_norm", "nn.relu", "take"]


def test_take_stops_at_a_grouped_convolution():
    module = Apply(
        lambda x, first, second: second(torch.relu(first(shuffle(x)))), depthwise(), grouped()
    )
    assert names(sunk(module)) == ["nn.conv2d", "add", "nn.relu", "take", "nn.conv2d"]


def test_take_passes_no_depthwise_convolution_of_two_outputs_a_channel():
    conv = randomised(nn.Conv2d(8, 16, 3, groups=8, bias=False))
    assert names(sunk(Apply(lambda x, conv: conv(shuffle(x)), conv))) == ["take", "nn.conv2d"]


@pytest.mark.parametrize("size", [1, 3])
def test_dense_convolution_takes_the_permutation_into_its_weight(size):
    conv = randomised(nn.Conv2d(8, 6, size, bias=False))
    mod = sunk(Apply(lambda x, conv: conv(torch.relu(shuffle(x))), conv))
    assert names(mod) == ["nn.relu", "nn.conv2d"]


def test_takes_that_meet_become_one():
    mod = sunk(Apply(lambda x: shuffle(torch.relu(shuffle(x)))))
    assert names(mod) == ["nn.relu", "take"]


def test_takes_that_undo_each_other_vanish():
    mod = sunk(Apply(lambda x, conv: unshuffle(conv(shuffle(x))), depthwise(bias=False)))
    assert names(mod) == ["nn.conv2d"]


def test_take_of_two_readers_stays():
    def both(x, first):
        y = shuffle(x)
        return first(y) + y[:, :, 1:4, 1:4]

    before = shuffled(Apply(both, depthwise()))
    tvm.ir.assert_structural_equal(SinkChannelShuffle()(before), before)
    sunk(Apply(both, depthwise()))


def test_take_stops_before_two_readers():
    def both(x, first, second):
        y = first(shuffle(x))
        return second(y) * y

    mod = sunk(Apply(both, depthwise(bias=False), grouped()))
    assert names(mod) == ["nn.conv2d", "take", "nn.conv2d", "multiply"]


def test_take_stops_at_the_sum_of_two_images():
    mod = sunk(Apply(lambda x: torch.relu(shuffle(x)) + x))
    assert names(mod) == ["nn.relu", "take", "add"]


def test_repeated_channels_are_no_shuffle():
    repeated = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    module = Apply(lambda x: torch.relu(x.index_select(1, repeated)))
    assert names(sunk(module)) == ["take", "nn.relu"]


def test_shuffle_written_as_an_index_sinks_too():
    module = Apply(lambda x: torch.relu(x[:, TRANSPOSED]))
    assert names(sunk(module)) == ["nn.relu", "take"]


def test_network_without_shuffle_is_untouched():
    before = import_model(Apply(lambda x, conv: torch.relu(conv(x)), depthwise()), EXAMPLE)
    tvm.ir.assert_structural_equal(SinkChannelShuffle()(before), before)


@pytest.mark.parametrize(("groups", "channels"), [(2, 12), (3, 12), (4, 16), (8, 16)])
def test_unit_reads_its_input_shuffled_in_the_last_convolution(groups, channels):
    layers = [
        grouped(channels, groups),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.ChannelShuffle(groups),
        depthwise(channels, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        grouped(channels, groups),
        nn.BatchNorm2d(channels),
    ]
    unit, example = randomised(nn.Sequential(*layers)), random_image(1, channels, 4, 4)
    passes = [FoldBatchNorm(), FuseChannelShuffle(), SinkChannelShuffle()]
    mod = tvm.transform.Sequential(passes)(import_model(unit, example))
    assert_computes(mod, unit, example)
    assert operators(mod) == {"nn.conv2d": 3, "add": 3, "nn.relu": 1, "take": 1}
    (take,) = calls(mod, "take")
    assert users(mod, take)[0].same_as(calls(mod, "nn.conv2d")[-1])
