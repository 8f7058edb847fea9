"""AlexNet (Krizhevsky et al. 2012), the network of two halves: 724 M multiply-adds at 224x224.

    image -> 11x11 /4 -> LRN -> pool /2 -> 5x5 -> LRN -> pool /2 -> 3x3 -> 3x3 -> 3x3 -> pool /2
          -> 6x6 -> dense 4096 -> dense 4096 -> classifier

The second, fourth and fifth convolution have two groups, which its authors had on one GPU each;
that is the variant that the literature counts as 720 M. (torchvision's AlexNet is another one, of
64 channels first, without groups and normalisation.) Every layer is followed by ReLU, which stands
before the normalisation. Tensors are named as in torchvision; images of other sizes are averaged
to 6x6 pixels before the dense layers, as there.
"""

# mypy: disallow-subclassing-any=False

from collections import OrderedDict

import torch
from torch import nn

FEATURES = 6
DENSE = 4096


class AlexNet(nn.Module):
    """Images [batch, 3, height, width] to logits [batch, classes]."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                [
                    ("0", nn.Conv2d(3, 96, 11, 4, 2)),
                    ("1", nn.ReLU()),
                    ("norm1", _normalisation()),
                    ("2", nn.MaxPool2d(3, 2)),
                    ("3", nn.Conv2d(96, 256, 5, 1, 2, groups=2)),
                    ("4", nn.ReLU()),
                    ("norm2", _normalisation()),
                    ("5", nn.MaxPool2d(3, 2)),
                    ("6", nn.Conv2d(256, 384, 3, 1, 1)),
                    ("7", nn.ReLU()),
                    ("8", nn.Conv2d(384, 384, 3, 1, 1, groups=2)),
                    ("9", nn.ReLU()),
                    ("10", nn.Conv2d(384, 256, 3, 1, 1, groups=2)),
                    ("11", nn.ReLU()),
                    ("12", nn.MaxPool2d(3, 2)),
                ]
            )
        )
        self.avgpool = nn.AdaptiveAvgPool2d(FEATURES)
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(256 * FEATURES * FEATURES, DENSE),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(DENSE, DENSE),
            nn.ReLU(),
            nn.Linear(DENSE, classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.avgpool(self.features(x)).flatten(1))
        return logits


def _normalisation() -> nn.LocalResponseNorm:
    """Over five channels; PyTorch divides `alpha` by their number, the authors do not."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
