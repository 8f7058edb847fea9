"""Every network by name."""

import difflib
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import torch
from torch import nn

from pipeline.errors import RequestError
from pipeline.models import mobilenet, shufflenet_plan
from pipeline.models.alexnet import AlexNet
from pipeline.models.googlenet import GoogLeNet
from pipeline.models.macs import count_macs
from pipeline.models.mobilenet import MobileNet
from pipeline.models.model import InputSpec, Model, check_spec
from pipeline.models.paper import FIGURES
from pipeline.models.seeded import seed_weights, seeded_images
from pipeline.models.shufflenet import ShuffleNet
from pipeline.models.shufflenet_plan import Variant, plan
from pipeline.models.squeezenet import SqueezeNet
from pipeline.models.studies import studies
from pipeline.models.vgg import Vgg
from pipeline.models.weights import load_weights

DEFAULT_INPUT = InputSpec()
# As many as there are group counts, so that a wrong group count is answered with the right ones.
SUGGESTIONS = len(shufflenet_plan.STAGE_2_CHANNELS)

Builder = Callable[[int], nn.Module]  # from the number of classes


def names() -> list[str]:
    """All names that `load` takes."""
    return list(_builders())


def build(name: str, classes: int = 1000) -> nn.Module:
    """The network with torch's own initial weights, on torch's current device.

    RequestError if there is none of that name.
    """
    builders = _builders()
    special: dict[str, Builder] = {
        study: partial(ShuffleNet, changed) for study, changed in studies().items()
    }
    if name not in builders | special:
        raise RequestError(_unknown(name, list(builders)))
    return (builders | special)[name](classes)


def load(
    name: str, spec: InputSpec = DEFAULT_INPUT, weights: Path | None = None, seed: int = 0
) -> Model:
    """The network in eval mode with weights from a file, or else from the seed.

    The seed also makes the example image. RequestError if there is no such network, it cannot
    take such input, or the weights are of another network.
    """
    check_spec(spec)
    with torch.device("meta"):
        module = build(name, spec.classes).eval().requires_grad_(False)
    macs = count_macs(module, spec.height, spec.width)
    module = module.to_empty(device="cpu")
    if weights is None:
        seed_weights(module, seed)
    else:
        load_weights(module, weights)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    return Model(name, module, seeded_images(spec, seed), macs, parameters, FIGURES.get(name))


def _builders() -> dict[str, Builder]:
    widths, groups = shufflenet_plan.FIRST_CHANNELS, shufflenet_plan.STAGE_2_CHANNELS
    variants = (
        Variant(*choice) for choice in product(widths, groups, (False, True), (False, True))
    )
    shufflenets: dict[str, Builder] = {
        _name(variant): partial(ShuffleNet, plan(variant)) for variant in variants
    }
    mobilenets = {f"mobilenet-{width}": partial(MobileNet, width) for width in mobilenet.WIDTHS}
    opponents: dict[str, Builder] = {
        "alexnet": AlexNet,
        "googlenet": GoogLeNet,
        "squeezenet-1.0": SqueezeNet,
        "vgg-16": Vgg,
    }
    return shufflenets | mobilenets | opponents


def _name(variant: Variant) -> str:
    squeeze = "-se" if variant.squeeze else ""
    shallow = "-shallow" if variant.shallow else ""
    return f"shufflenet-{variant.width}x-g{variant.groups}{squeeze}{shallow}"


def _unknown(name: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(name.lower(), known, SUGGESTIONS)
    hint = f"nearest: {', '.join(nearest)}; " if nearest else ""
    return f"unknown model {name!r}; {hint}all names: shufflenet-tvm models"
