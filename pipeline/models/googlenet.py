"""GoogLeNet (Szegedy et al. 2015) as torchvision has it: 1.50 G multiply-adds at 224x224.

    image -> 7x7 /2 -> pool /2 -> 1x1 -> 3x3 -> pool /2 -> 2 inceptions -> pool /2
          -> 5 inceptions -> pool /2 -> 2 inceptions -> mean -> classifier
    inception: 1x1;  1x1 -> 3x3;  1x1 -> 3x3;  pool -> 1x1;  beside each other

Against the authors' network, every convolution has batch normalisation, there is no local response
normalisation, and the third branch is 3x3 where theirs is 5x5 (1.58 G multiply-adds); the
literature's 1500 M is either, rounded. The classifiers beside the network serve training only.
Modules are named and ordered as in torchvision, so that its checkpoints load as they are; those
were trained on images normalised to a mean and deviation of 0.5.
"""

# mypy: disallow-subclassing-any=False

import torch
from torch import nn

# Of each resolution the inceptions: 1x1; 1x1 and 3x3; 1x1 and 3x3; 1x1 behind the pool.
Branches = tuple[int, int, int, int, int, int]
STAGES: dict[str, tuple[Branches, ...]] = {
    "3": ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    "4": (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    "5": ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
}
EPSILON = 1e-3


class NormalisedConv(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=EPSILON)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.relu(self.bn(self.conv(x)))
        return y


class Inception(nn.Module):
    """Four branches of the same pixels, their channels beside each other."""

    def __init__(self, inputs: int, branches: Branches) -> None:
        super().__init__()
        one, reduce2, three2, reduce3, three3, pooled = branches
        self.branch1 = NormalisedConv(inputs, one, 1)
        self.branch2 = nn.Sequential(
            NormalisedConv(inputs, reduce2, 1), NormalisedConv(reduce2, three2, 3, padding=1)
        )
        self.branch3 = nn.Sequential(
            NormalisedConv(inputs, reduce3, 1), NormalisedConv(reduce3, three3, 3, padding=1)
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, 1, 1, ceil_mode=True), NormalisedConv(inputs, pooled, 1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], dim=1)


class GoogLeNet(nn.Module):
    """Images [batch, 3, height, width] to logits [batch, classes]."""

    # Checkpoints have the classifiers beside the network too.
    training_only = ("aux1.", "aux2.")

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv1 = NormalisedConv(3, 64, 7, 2, 3)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = NormalisedConv(64, 64, 1)
        self.conv3 = NormalisedConv(64, 192, 3, padding=1)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        channels = self._add_stage("3", 192)
        self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
        channels = self._add_stage("4", channels)
        self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
        channels = self._add_stage("5", channels)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for name, layer in self.named_children():
            if name == "fc":
                x = x.flatten(1)
            x = layer(x)
        return x

    def _add_stage(self, name: str, channels: int) -> int:
        """Add the inceptions of a resolution, and return the channels of the last one."""
        for letter, branches in zip("abcde", STAGES[name], strict=False):
            self.add_module(f"inception{name}{letter}", Inception(channels, branches))
            channels = branches[0] + branches[2] + branches[4] + branches[5]
        return channels
