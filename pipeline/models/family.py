"""Which family a network is of, by its name."""

FAMILIES = {
    "shufflenet": "ShuffleNet",
    "mobilenet": "MobileNet",
    "squeezenet": "SqueezeNet",
    "alexnet": "AlexNet",
    "vgg": "VGG",
    "googlenet": "GoogLeNet",
}


def family(name: str) -> str:
    """As its authors write it."""
    return FAMILIES.get(name.partition("-")[0], name)
