"""A folder of labelled images: DIR/<class>/<image>, classes in the order of their names.

That is the order of torchvision's ImageFolder and of ImageNet's synset folders, in which networks
number their outputs.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.check import Array
from pipeline.errors import RequestError

# Statistics of ImageNet's pixels in 0..1, by which images are normalised for networks trained on
# it, and the side that is scaled to before 224 are cut out (He et al. 2016, as torchvision does).
MEAN = np.array([0.485, 0.456, 0.406], "float32")
DEVIATION = np.array([0.229, 0.224, 0.225], "float32")
SCALED, CUT = 256, 224
SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".webp"}


@dataclass(frozen=True)
class Labelled:
    """The file of an image, and the number of its class."""

    path: Path
    label: int


@dataclass(frozen=True)
class ImageFolder:
    """Names of classes, and all images, class by class."""

    folder: Path
    classes: tuple[str, ...]
    images: tuple[Labelled, ...]


def read_image_folder(folder: Path) -> ImageFolder:
    """What is in a folder; RequestError if it has no folders of images."""
    if not folder.is_dir():
        raise RequestError(f"no folder {folder}; give one with a folder of images for each class")
    classes = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))
    images = tuple(
        Labelled(path, label)
        for label, name in enumerate(classes)
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in SUFFIXES
    )
    if not images:
        raise RequestError(
            f"{folder} has no images; it should have a folder for each class with files of"
            f" {', '.join(sorted(SUFFIXES))} in it"
        )
    return ImageFolder(folder, classes, images)


def spread(images: tuple[Labelled, ...], count: int | None) -> tuple[Labelled, ...]:
    """So many images at equal distances, so that all classes have their share; None for all."""
    if count is None or count >= len(images):
        return images
    return tuple(images[number * len(images) // count] for number in range(count))


def pixels(path: Path, height: int, width: int) -> Array:
    """An image as float32 [3, height, width], normalised: scaled until it covers 8/7 of both sides,
    the middle cut out. RequestError if it cannot be read."""
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise RequestError(f"cannot read the image {path} ({error}); remove or mend it") from error
    scale = max(
        math.ceil(height * SCALED / CUT) / image.height,
        math.ceil(width * SCALED / CUT) / image.width,
    )
    size = (max(round(image.width * scale), width), max(round(image.height * scale), height))
    scaled = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    cut = np.asarray(scaled.crop((left, top, left + width, top + height)), "float32") / 255
    normalised: Array = ((cut - MEAN) / DEVIATION).transpose(2, 0, 1)
    return np.ascontiguousarray(normalised, "float32")
