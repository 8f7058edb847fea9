"""Weights and images from a seed, for measuring networks without a trained checkpoint.

Weights are drawn evenly from He's range, batch normalisation's scale and shift from ranges around
one and zero. A few images then pass through the network, and each batch normalisation takes the
mean and variance that it sees as its running statistics. So activations keep their scale through
any depth, and the statistics differ from channel to channel as those of a trained network do. The
classifier, which is the last layer with weights, is centred and scaled on the same images: what it
makes has a deviation near one and no class wins for every image.

Networks of random weights enlarge a small error from layer to layer, by 1.2 with normalisation and
ReLU (Yang et al. 2019, A mean field theory of batch normalization), and more where a filter of mean
zero takes differences of neighbouring pixels. Trained ones do not, or none would run in float16. So
shifts are positive, with which most values pass the ReLU as they are, and depthwise filters have a
positive mean: a seeded MobileNet then enlarges errors ten times less.

Draws are even and the images pass in double precision, so that rounding to float32 hides how a
machine or a number of threads orders its sums. Torch's global generator is left alone.
"""

import math

import torch
from torch import nn
from torch.nn.functional import interpolate

from pipeline.models.model import InputSpec

# 8 images of 160x160 leave 200 values a channel in the last stage, enough for a variance.
CALIBRATION = InputSpec(height=160, width=160, batch=8)
# Large-scale structure of an image, as in photographs: without it all images have equal means.
PATCHES = 4


def seed_weights(module: nn.Module, seed: int) -> None:
    """Fill every parameter and statistic of `module`."""
    generator = torch.Generator().manual_seed(seed)
    for layer in module.modules():
        _draw(layer, generator)
    images = _images(CALIBRATION, generator)
    module.double()
    _calibrate(module, images.double())
    module.float()


def seeded_images(spec: InputSpec, seed: int) -> torch.Tensor:
    """Float32 images [batch, 3, height, width] of mean 0 and deviation about 1.

    The n-th image is the same for any batch.
    """
    # The next seed, lest the image repeats the numbers of the first convolution.
    return _images(spec, torch.Generator().manual_seed(seed + 1))


def _draw(layer: nn.Module, generator: torch.Generator) -> None:
    if isinstance(layer, nn.Conv2d | nn.Linear):
        fan_in = layer.weight[0].numel()
        bound = math.sqrt(6 / fan_in)  # variance 2 / fan_in, which ReLU halves
        layer.weight.uniform_(-bound, bound, generator=generator)
        if isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1:
            layer.weight.add_(bound / 2)
        if layer.bias is not None:
            layer.bias.uniform_(-0.5, 0.5, generator=generator)
    elif isinstance(layer, nn.BatchNorm2d):
        layer.reset_running_stats()
        layer.weight.uniform_(0.5, 1.5, generator=generator)
        layer.bias.uniform_(0, 1, generator=generator)


def _images(spec: InputSpec, generator: torch.Generator) -> torch.Tensor:
    return torch.cat([_image(spec, generator) for _ in range(spec.batch)])


def _image(spec: InputSpec, generator: torch.Generator) -> torch.Tensor:
    """Fine noise of deviation 1 on coarse patches, whose contrast is drawn for each image."""
    fine = _noise(spec.height, spec.width, generator)
    coarse = _noise(PATCHES, PATCHES, generator) * torch.rand(1, generator=generator)
    return fine + interpolate(coarse, (spec.height, spec.width), mode="nearest")


def _noise(height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """An image of mean 0 and deviation 1."""
    return (torch.rand(1, 3, height, width, generator=generator) - 0.5) * math.sqrt(12)


def _calibrate(module: nn.Module, images: torch.Tensor) -> None:
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # torch's way to ask for the plain average
    *_, classifier = (one for one in module.modules() if isinstance(one, nn.Conv2d | nn.Linear))
    seen: list[torch.Tensor] = []
    hook = classifier.register_forward_hook(lambda _, __, made: seen.append(made))
    _without_dropout(module.train())
    with torch.no_grad():
        module(images)
    hook.remove()
    for norm in norms:
        norm.momentum = 0.1
    module.eval()
    _centre(classifier, seen[0])


def _without_dropout(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()


def _centre(classifier: nn.Module, made: torch.Tensor) -> None:
    """Make the means over pixels of what it made of the images, [images, classes, ...], vary
    around zero by one."""
    logits = made.flatten(2).mean(2) if made.ndim > 2 else made
    mean = logits.mean(0)
    deviation = (logits - mean).std()
    classifier.weight.div_(deviation)
    classifier.bias.sub_(mean).div_(deviation)
