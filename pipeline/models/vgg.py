"""VGG-16 (Simonyan and Zisserman 2015, configuration D).

    image -> 2 x 3x3 -> pool /2 -> 2 x 3x3 -> pool /2 -> three times (3 x 3x3 -> pool /2)
          -> 7x7 -> dense 4096 -> dense 4096 -> classifier

Modules are named and ordered as in torchvision, so that its checkpoints load as they are; images
of other sizes are averaged to 7x7 pixels before the dense layers, as there.
"""

# mypy: disallow-subclassing-any=False

import torch
from torch import nn

# Output channels of the convolutions of each resolution.
STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
FEATURES = 7
DENSE = 4096


class Vgg(nn.Module):
    """Images [batch, 3, height, width] to logits [batch, classes]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for stage in STAGES:
            for outputs in stage:
                layers += [nn.Conv2d(inputs, outputs, 3, 1, 1), nn.ReLU()]
                inputs = outputs
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(FEATURES)
        self.classifier = nn.Sequential(
            nn.Linear(inputs * FEATURES * FEATURES, DENSE),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(DENSE, DENSE),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(DENSE, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits
