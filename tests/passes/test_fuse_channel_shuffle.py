import numpy as np
import pytest
import torch
import tvm
from torch import nn

from pipeline.frontend import import_model
from pipeline.passes.fuse_channel_shuffle import FuseChannelShuffle
from pipeline.passes.rewriting import array_of
from tests.passes.relax_modules import Apply, assert_computes, calls, operators, random_image


def fused(function, example, *submodules):
    module = Apply(function, *submodules)
    mod = FuseChannelShuffle()(import_model(module, example))
    assert_computes(mod, module, example)
    return mod


def indices(groups, channels):
    return np.arange(channels).reshape(groups, -1).T.reshape(-1)


def view(x, g):
    n, c, h, w = x.shape
    return x.view(n, g, c // g, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


def view_unknown_batch(x, g):
    _, c, h, w = x.shape
    return x.view(-1, g, c // g, h, w).permute(0, 2, 1, 3, 4).reshape(-1, c, h, w)


def flatten_channels(x, g):
    n, c, h, w = x.shape
    return x.reshape(n, g, c // g, h, w).swapaxes(1, 2).flatten(1, 2)


def unflatten(x, g):
    return x.unflatten(1, (g, -1)).movedim(2, 1).flatten(1, 2)


def merged_image(x, g):
    n, c, h, w = x.shape
    return x.view(n, g, c // g, h * w).permute(0, 2, 1, 3).clone().reshape(n, c, h, w)


def merged_rows(x, g):
    n, c, h, w = x.shape
    return x.view(n, g, c // g * h, w).unflatten(2, (-1, h)).transpose(1, 2).reshape(x.shape)


def merged_batch(x, g):
    n, c, h, w = x.shape
    pairs = x.reshape(n * g, c // g, h, w).view(n, g, c // g, h * w)
    return pairs.transpose(1, 2).reshape(n * c, h, w).view(n, c, h, w)


def channels_last(x, g):
    n, c, h, w = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(n, h, w, g, c // g)
    return pixels.transpose(-1, -2).reshape(n, h, w, c).permute(0, 3, 1, 2).contiguous()


def einsum(x, g):
    n, c, h, w = x.shape
    return torch.einsum("ngchw->ncghw", x.view(n, g, c // g, h, w)).reshape(x.shape)


def extra_axes(x, g):
    n, c, h, w = x.shape
    grouped = x.unsqueeze(1).reshape(n, g, 1, c // g, h, w)
    return grouped.permute(0, 3, 2, 1, 4, 5).reshape(n, c, 1, h, w).squeeze(2)


def two_steps(x, g):
    n, c, h, w = x.shape
    x = x.reshape(n, g, -1).reshape(n, g, h, -1).reshape(n, g, c // g, h, w)
    return x.permute(0, 1, 3, 2, 4).permute(0, 3, 1, 2, 4).reshape(n, c, h, w)


def torch_function(x, g):
    return torch.channel_shuffle(x, g)


def torch_module(x, g):
    return nn.ChannelShuffle(g)(x)


SPELLINGS = [
    view,
    view_unknown_batch,
    flatten_channels,
    unflatten,
    merged_image,
    merged_rows,
    merged_batch,
    channels_last,
    einsum,
    extra_axes,
    two_steps,
    torch_function,
    torch_module,
]


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.__name__)
def test_every_spelling_becomes_the_same_take(spelling):
    mod = fused(lambda x: torch.relu(spelling(x, 2)), random_image(2, 8, 3, 5))
    assert operators(mod) == {"take": 1, "nn.relu": 1}
    (take,) = calls(mod, "take")
    assert take.attrs.axis == 1
    assert (array_of(take.args[1]) == indices(2, 8)).all()


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling.__name__)
def test_every_spelling_is_found_for_one_image(spelling):
    mod = import_model(Apply(lambda x: spelling(x, 2)), random_image(1, 8, 3, 5))
    (take,) = calls(FuseChannelShuffle()(mod))
    assert (array_of(take.args[1]) == indices(2, 8)).all()


# Channels of stage 2's bottleneck at width 1.0; images of one pixel and of all extents alike.
@pytest.mark.parametrize(
    ("groups", "shape"),
    [
        (2, (1, 50, 3, 5)),
        (3, (2, 60, 3, 5)),
        (4, (1, 68, 3, 5)),
        (8, (2, 96, 3, 5)),
        (3, (2, 60, 1, 1)),
        (2, (4, 4, 4, 4)),
    ],
    ids=str,
)
def test_indices_are_those_of_any_group_count(groups, shape):
    mod = import_model(Apply(lambda x: view(x, groups)), random_image(*shape))
    (take,) = calls(FuseChannelShuffle()(mod))
    assert (array_of(take.args[1]) == indices(groups, shape[1])).all()


@pytest.mark.parametrize("groups", [1, 4])
def test_shuffle_that_moves_nothing_vanishes(groups):
    mod = import_model(Apply(lambda x: torch.relu(view(x, groups))), random_image(1, 4, 3, 5))
    assert operators(FuseChannelShuffle()(mod)) == {"nn.relu": 1}


def test_shuffle_and_its_inverse_vanish():
    mod = fused(lambda x: torch.relu(view(view(x, 2), 4)), random_image(2, 8, 3, 3))
    assert operators(mod) == {"nn.relu": 1}


def test_consecutive_shuffles_are_one_take():
    mod = fused(lambda x: view(view(x, 2), 2), random_image(1, 8, 3, 3))
    (take,) = calls(mod)
    assert (array_of(take.args[1]) == indices(2, 8)[indices(2, 8)]).all()


def test_both_readers_of_a_shuffle_get_it():
    def both(x):
        shuffled = view(x, 2)
        return torch.relu(shuffled) * torch.sigmoid(shuffled)

    mod = fused(both, random_image(1, 8, 3, 3))
    assert operators(mod) == {"take": 1, "nn.relu": 1, "sigmoid": 1, "multiply": 1}


def test_shuffle_that_is_read_and_shuffled_again_stays_right():
    def both(x):
        once = view(x, 2)
        return once + view(torch.relu(x), 4) * view(once, 2)

    mod = fused(both, random_image(1, 8, 3, 3))
    assert "reshape" not in operators(mod)
    assert "permute_dims" not in operators(mod)


def test_grouped_tensor_that_others_read_stays_right():
    def both(x):
        grouped = x.view(1, 2, 4, 3, 3).transpose(1, 2)
        return grouped.reshape(1, 8, 3, 3) * grouped.sum(1).repeat(1, 4, 1, 1)

    mod = fused(both, random_image(1, 8, 3, 3))
    assert operators(mod)["take"] == 1
    assert operators(mod)["permute_dims"] == 1


def test_shuffle_after_a_transposed_image_is_found_alone():
    mod = fused(lambda x: view(x.transpose(2, 3), 2), random_image(1, 8, 3, 5))
    assert operators(mod) == {"permute_dims": 1, "take": 1}


OTHER_MOVES = {
    "transposed image": lambda x: x.transpose(2, 3),
    "batch and channels": lambda x: x.transpose(0, 1),
    "across channels and rows": lambda x: x.reshape(4, 2, 8, 4).transpose(1, 2).reshape(x.shape),
    "rows as channels": lambda x: x.permute(0, 2, 1, 3),
    "batch into channels": lambda x: x.reshape(2, 8, 2, 8).transpose(0, 1).reshape(x.shape),
    "patches": lambda x: x.reshape(4, 4, 2, 2, 2, 2).transpose(3, 4).reshape(x.shape),
    "flattened": lambda x: x.reshape(4, 2, 2, 16).transpose(1, 2).flatten(1),
}


@pytest.mark.parametrize("move", OTHER_MOVES)
def test_what_is_no_channel_shuffle_is_untouched(move):
    before = import_model(Apply(OTHER_MOVES[move]), random_image(4, 4, 4, 4))
    assert calls(before)
    tvm.ir.assert_structural_equal(FuseChannelShuffle()(before), before)
