"""MobileNet v1 (Howard et al. 2017).

    image -> 3x3 /2 -> 13 units -> mean -> classifier
    unit:    depthwise 3x3, BN, ReLU -> 1x1, BN, ReLU

Modules that hold tensors are named and ordered as in pytorchcv, so that its checkpoints load as
they are.
"""

# mypy: disallow-subclassing-any=False

from collections import OrderedDict

import torch
from torch import nn

from pipeline.errors import RequestError

WIDTHS = (0.25, 0.5, 0.75, 1.0)
FIRST_CHANNELS = 32
# Output channels of the units of each resolution at width 1.0; all but the first stage halve the
# image. Every width divides them exactly.
STAGES = ((64,), (128, 128), (256, 256), (512,) * 6, (1024,) * 2)


class MobileNet(nn.Module):
    """Images [batch, 3, height, width] to logits [batch, classes].

    RequestError if the family has no such width.
    """

    def __init__(self, width: float, classes: int) -> None:
        super().__init__()
        if width not in WIDTHS:
            raise RequestError(f"no MobileNet {width}; widths: {', '.join(map(str, WIDTHS))}")
        channels = int(FIRST_CHANNELS * width)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            init_block=_normalised(nn.Conv2d(3, channels, 3, 2, 1, bias=False))
        )
        for index, stage in enumerate(STAGES):
            outputs = [int(unit * width) for unit in stage]
            layers[f"stage{index + 1}"] = _stage(channels, outputs, stride=2 if index else 1)
            channels = outputs[-1]
        layers["final_pool"] = nn.AdaptiveAvgPool2d(1)
        self.features = nn.Sequential(layers)
        self.output = nn.Linear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.output(self.features(x).flatten(1))
        return logits


def _stage(inputs: int, outputs: list[int], stride: int) -> nn.Sequential:
    """One unit for each of `outputs`; the first has the stride."""
    units: OrderedDict[str, nn.Module] = OrderedDict()
    for index, channels in enumerate(outputs):
        units[f"unit{index + 1}"] = _unit(inputs, channels, 1 if index else stride)
        inputs = channels
    return nn.Sequential(units)


def _unit(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    depthwise = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
    pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
    return nn.Sequential(
        OrderedDict(dw_conv=_normalised(depthwise), pw_conv=_normalised(pointwise))
    )


def _normalised(conv: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(conv=conv, bn=nn.BatchNorm2d(conv.out_channels), relu=nn.ReLU())
    )
