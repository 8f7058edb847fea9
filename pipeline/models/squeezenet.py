"""SqueezeNet 1.0 (Iandola et al. 2016).

    image -> 7x7 /2 -> pool /2 -> 3 fires -> pool /2 -> 4 fires -> pool /2 -> fire
          -> 1x1 to classes, ReLU -> mean
    fire:    1x1 -> 1x1 and 3x3 beside each other

Every convolution is followed by ReLU, the last one too. Modules are named and ordered as in
torchvision, so that its checkpoints load as they are.
"""

# mypy: disallow-subclassing-any=False

import torch
from torch import nn


class Fire(nn.Module):
    """Squeezes to few channels, and expands to `expanded` by 1x1 and as many by 3x3."""

    def __init__(self, inputs: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.squeeze_activation = nn.ReLU()
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand1x1_activation = nn.ReLU()
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, 1, 1)
        self.expand3x3_activation = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        one = self.expand1x1_activation(self.expand1x1(x))
        three = self.expand3x3_activation(self.expand3x3(x))
        return torch.cat((one, three), dim=1)


class SqueezeNet(nn.Module):
    """Images [batch, 3, height, width] to logits [batch, classes], none of them negative."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 7, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(96, 16, 64),
            Fire(128, 16, 64),
            Fire(128, 32, 128),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(256, 32, 128),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(512, 64, 256),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.features(x)).flatten(1)
        return logits
