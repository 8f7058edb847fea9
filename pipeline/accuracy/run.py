"""Every image of a folder through PyTorch and through the compiled bundle."""

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from pipeline.accuracy.image_folder import ImageFolder, Labelled, pixels, spread
from pipeline.accuracy.score import AccuracyFile, Agreeing, Answers
from pipeline.bench import check_recipe, prepared
from pipeline.check import Array
from pipeline.compile import Recipe
from pipeline.engines.process import EngineProcess
from pipeline.engines.registry import OURS, TORCH
from pipeline.errors import RequestError
from pipeline.manifest import read_manifest
from pipeline.models import Model, names
from pipeline.progress import Steps


def accuracy(
    recipe: Recipe, data: ImageFolder, count: int | None, threads: int, steps: Steps
) -> AccuracyFile:
    """Top-1 and top-5 of a recipe, whose `model` may also be a bundle.

    RequestError if the network has another number of classes than the folder.
    """
    check_recipe(recipe)
    _check_classes(recipe, data)
    with tempfile.TemporaryDirectory(prefix="shufflenet-tvm-") as folder:
        bundle, model = prepared(recipe, Path(folder) / "bundle", steps.say)
        images = spread(data.images, count)
        torch_answers, own_answers, agreeing = Answers(), Answers(), Agreeing()
        with EngineProcess(OURS, threads) as engine:
            engine.load({"bundle": str(bundle.folder.resolve())}, model.example.numpy())
            begun = time.monotonic()
            for at in range(0, len(images), model.batch):
                batch, labels = _batch(images[at : at + model.batch], model)
                used = len(labels)
                own = engine.output(batch)[:used]
                reference = _reference(model, batch)[:used]
                own_answers.add(own, labels)
                torch_answers.add(reference, labels)
                agreeing.add(own, reference)
                done = (at + used) / len(images)
                left = (time.monotonic() - begun) * (1 - done) / done
                steps.say(f"{at + used} of {len(images)} images", done, left)
    weights = recipe.weights
    return AccuracyFile(
        model=model.name,
        data=data.folder.resolve().name,
        images=len(images),
        classes=len(data.classes),
        weights=weights.name if weights else None,
        input_size=model.input_size,
        scores=[torch_answers.score(TORCH.name), own_answers.score(OURS.name)],
        agreement=agreeing.same / len(images),
        max_relative_error=agreeing.error,
    )


def _check_classes(recipe: Recipe, data: ImageFolder) -> None:
    if recipe.model in names():
        classes = recipe.spec.classes
    else:
        classes = read_manifest(Path(recipe.model)).output.shape[-1]
    if classes != len(data.classes):
        raise RequestError(
            f"{data.folder} has {len(data.classes)} classes and the network {classes}; with"
            f" weights for these classes give --classes {len(data.classes)}"
        )


def _batch(images: tuple[Labelled, ...], model: Model) -> tuple[Array, Array]:
    """Images [batch, 3, height, width], the last batch filled up with zeros, and their classes."""
    height, width = model.input_size
    batch = np.zeros(tuple(model.example.shape), "float32")
    for place, image in enumerate(images):
        batch[place] = pixels(image.path, height, width)
    return batch, np.array([image.label for image in images])


def _reference(model: Model, batch: Array) -> Array:
    with torch.inference_mode():
        logits: Array = model.module(torch.from_numpy(batch)).numpy()
    return logits
