"""Operators are read with their whole epilogue, and what is not served is named."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import RequestError
from pipeline.frontend import import_model
from pipeline.operators import LocalResponse, Network
from pipeline.passes.fold_batch_norm import FoldBatchNorm
from pipeline.passes.fuse_channel_shuffle import FuseChannelShuffle
from pipeline.passes.read_operators import read_operators
from pipeline.passes.sink_channel_shuffle import SinkChannelShuffle


class Net(nn.Module):
    """A first convolution to 12 channels, and then what a test adds."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 12, 3, 2, 1)
        self.point = nn.Conv2d(12, 12, 1, groups=3)
        self.depth = nn.Conv2d(12, 12, 3, 1, 1, groups=12)
        self.dense = nn.Conv2d(12, 12, 3, 1, 1)
        self.last = nn.Linear(24, 5)

    def body(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(torch.relu(self.first(x))).mean((2, 3)))


class ShortcutFirst(Net):
    def body(self, x: Tensor) -> Tensor:
        x = torch.relu(x + self.point(x))
        return torch.cat((functional.avg_pool2d(x, 3, 1, 1), self.point(x)), 1)


class ShortcutLast(Net):
    def body(self, x: Tensor) -> Tensor:
        x = torch.relu(self.point(x) + x)
        return torch.relu(torch.cat((self.point(x), functional.avg_pool2d(x, 3, 1, 1)), 1))


class TwoBranches(Net):
    def body(self, x: Tensor) -> Tensor:
        x = torch.relu(self.point(x) + self.point(self.depth(x)))
        return torch.cat((x + 0.5, x * 1.0), 1)


class Reversed(Net):
    def body(self, x: Tensor) -> Tensor:
        x = self.point(x.flip(1))
        return torch.cat((self.point(x), self.depth(x)), 1)


class Dilated(Net):
    def body(self, x: Tensor) -> Tensor:
        wide = functional.conv2d(x, self.dense.weight, None, 1, 2, dilation=2)
        return torch.cat((wide, self.depth(x)), 1)


class Cubed(Net):
    def body(self, x: Tensor) -> Tensor:
        x = functional.local_response_norm(x, 5, beta=1.5)
        return torch.cat((self.point(x), self.depth(x)), 1)


class Windows(Net):
    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        x = functional.local_response_norm(x, 3, 0.5, 0.75, 2.0)
        x = functional.max_pool2d(x, 3, 2, ceil_mode=True)
        x = functional.max_pool2d(torch.relu(self.dense(x)), 2)
        x = functional.adaptive_avg_pool2d(x, (3, 1)).flatten(1)
        return functional.linear(x, self.row)

    def __init__(self) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.arange(24.0 * 36).reshape(24, 36))


class SignedPool(Net):
    def body(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.point(x), 3, 2, 1)
        return torch.cat((self.point(x), self.depth(x)), 1)


def network(module: Net) -> Network:
    passes = (FoldBatchNorm(), FuseChannelShuffle(), SinkChannelShuffle())
    imported = import_model(module.eval(), torch.zeros(1, 3, 16, 16))
    for step in passes:
        imported = step(imported)
    return read_operators(imported)


@pytest.mark.parametrize("module", [ShortcutFirst, ShortcutLast])
def test_shortcut_is_added_as_the_result_is_stored(module: type[Net]) -> None:
    operators = network(module()).operators
    kinds = [step.kind for step in operators]
    assert sorted(kinds) == sorted(
        ["first_convolution", "pointwise", "pointwise", "average_pool", "mean", "pointwise"]
    )
    shortcut = operators[1]
    assert (shortcut.residual, shortcut.activation) == (operators[0].writes, "relu")


def test_operands_of_a_concatenation_write_one_tensor_side_by_side() -> None:
    first, last = network(ShortcutFirst()), network(ShortcutLast())
    for made, order, activation in (
        (first, ["average_pool", "pointwise"], "none"),
        (last, ["pointwise", "average_pool"], "relu"),
    ):
        parts = [step for step in made.operators if step.writes == made.operators[-2].data]
        parts.sort(key=lambda step: step.offset)
        assert [step.kind for step in parts] == order
        assert [step.offset for step in parts] == [0, 12]
        assert {step.activation for step in parts} == {activation}


def test_windows_of_other_sizes_are_read() -> None:
    first, normalised, pooled, dense, halved, averaged, row = network(Windows()).operators
    assert (first.kernel, first.stride, first.padding) == ((3, 3), 2, 1)
    assert normalised.kind == "normalisation"
    assert normalised.local_response == LocalResponse(3, 0.5, 2.0)
    assert (pooled.kernel, pooled.stride, pooled.padding) == ((3, 3), 2, 0)
    assert (dense.kind, dense.kernel, dense.activation) == ("convolution", (3, 3), "relu")
    assert (halved.kind, halved.kernel, halved.stride) == ("max_pool", (2, 2), 2)
    assert averaged.kind == "adaptive_pool"
    assert (row.kind, row.data, row.kernel) == ("convolution", averaged.writes, (3, 1))
    assert row.weight is not None
    assert row.weight.shape == (24, 12, 3, 1)


@pytest.mark.parametrize(
    ("module", "named"),
    [
        (Dilated, "nn.conv2d"),
        (Cubed, "exponent 1.5"),
        (SignedPool, "after a ReLU"),
        (TwoBranches, "not served|also used"),
        (Reversed, "not served|no channel shuffle"),
    ],
)
def test_what_is_not_served_is_named(module: type[Net], named: str) -> None:
    with pytest.raises(RequestError, match=named):
        network(module())
