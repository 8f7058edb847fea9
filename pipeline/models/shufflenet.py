"""ShuffleNet v1 (Zhang et al. 2017).

    image -> 3x3 /2 -> max pool /2 -> stage 2 -> stage 3 -> stage 4 -> mean -> classifier

    unit:   x -> grouped 1x1, BN, ReLU -> shuffle -> depthwise 3x3, BN -> grouped 1x1, BN
              -> + x -> ReLU
    first:  the depthwise has stride 2, and an average pool of x is concatenated, not x added

Modules that hold tensors are named and ordered as in pytorchcv, so that its checkpoints load as
they are.
"""

# mypy: disallow-subclassing-any=False

from collections import OrderedDict

import torch
from torch import nn

from pipeline.models.shufflenet_plan import Plan, Stage

# Squeeze-and-excitation networks squeeze to a sixteenth of the channels.
SQUEEZE_REDUCTION = 16


class ChannelShuffle(nn.Module):
    """Reads channels as [groups, channels / groups] and writes them transposed; keeps the shape."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        x = x.view(batch, self.groups, channels // self.groups, height, width)
        return x.transpose(1, 2).contiguous().view(batch, channels, height, width)


class SqueezeExcite(nn.Module):
    """Scales each channel by a gate in 0..1 that is computed from the means of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = channels // SQUEEZE_REDUCTION
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv1 = nn.Conv2d(channels, squeezed, 1)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(squeezed, channels, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate: torch.Tensor = self.sigmoid(self.conv2(self.relu(self.conv1(self.pool(x)))))
        return x * gate


class ShuffleUnit(nn.Module):
    """The unit at the top of this file, from `inputs` channels to `stage.channels`.

    With `first`, it halves height and width (rounded up). `dense` ungroups the first pointwise
    convolution. Squeeze-and-excitation stands where SENet puts it: on the branch, after its last
    batch normalisation, before the sum or concatenation.
    """

    def __init__(self, inputs: int, stage: Stage, plan: Plan, *, first: bool, dense: bool) -> None:
        super().__init__()
        middle, stride = stage.bottleneck, 2 if first else 1
        outputs = stage.channels - inputs if first else stage.channels
        self.compress_conv1 = _pointwise(inputs, middle, 1 if dense else plan.groups)
        self.compress_bn1 = nn.BatchNorm2d(middle)
        self.shuffle = ChannelShuffle(plan.groups) if plan.shuffled else nn.Identity()
        self.dw_conv2 = nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False)
        self.dw_bn2 = nn.BatchNorm2d(middle)
        self.expand_conv3 = _pointwise(middle, outputs, plan.groups)
        self.expand_bn3 = nn.BatchNorm2d(outputs)
        self.se = SqueezeExcite(outputs) if plan.squeeze else nn.Identity()
        self.pool = nn.AvgPool2d(3, 2, 1) if first else None
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branch = self.relu(self.compress_bn1(self.compress_conv1(x)))
        branch = self.dw_bn2(self.dw_conv2(self.shuffle(branch)))
        branch = self.se(self.expand_bn3(self.expand_conv3(branch)))
        joined = branch + x if self.pool is None else torch.cat((branch, self.pool(x)), dim=1)
        y: torch.Tensor = self.relu(joined)
        return y


class ShuffleNet(nn.Module):
    """Images [batch, 3, height, width] to logits [batch, classes]."""

    def __init__(self, plan: Plan, classes: int) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict(init_block=_stem(plan.first_channels))
        inputs = plan.first_channels
        for index, stage in enumerate(plan.stages):
            dense = index == 0 and not plan.grouped_first
            layers[f"stage{index + 1}"] = _stage(inputs, stage, plan, dense=dense)
            inputs = stage.channels
        layers["final_pool"] = nn.AdaptiveAvgPool2d(1)
        self.features = nn.Sequential(layers)
        self.output = nn.Linear(inputs, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.output(self.features(x).flatten(1))
        return logits


def _stem(channels: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, channels, 3, 2, 1, bias=False),
            bn=nn.BatchNorm2d(channels),
            relu=nn.ReLU(),
            pool=nn.MaxPool2d(3, 2, 1),
        )
    )


def _stage(inputs: int, stage: Stage, plan: Plan, *, dense: bool) -> nn.Sequential:
    """`dense`: the stage's first unit starts with an ungrouped convolution."""
    units: OrderedDict[str, nn.Module] = OrderedDict()
    for index in range(stage.units):
        first = index == 0
        channels = inputs if first else stage.channels
        units[f"unit{index + 1}"] = ShuffleUnit(
            channels, stage, plan, first=first, dense=first and dense
        )
    return nn.Sequential(units)


def _pointwise(inputs: int, outputs: int, groups: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, groups=groups, bias=False)
