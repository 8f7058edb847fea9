"""Seeded arguments for a kernel: activations, and constants packed as the network packs them."""

from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.gpu.pack import as_fragments
from schedules.cuda.chain import PRODUCTS, Chain
from schedules.cuda.operators import Work, signature

Array = NDArray[Any]
Arrays = dict[str, Array]


def random_arguments(work: Work, seed: int) -> Arrays:
    """Inputs and constants by role, the weights of products as [group, k, output].

    Weights are as small as there are many of them, so that float16 holds what comes of many steps;
    those of places that hold no channel are zero.
    """
    random = np.random.default_rng(seed)
    own = signature(work)
    shapes = {role: one.shape for role, one in {**own.inputs, **own.constants}.items()}
    if isinstance(work, Chain):
        shapes |= _weight_shapes(work)
    made = {role: random.standard_normal(shape, "float32") for role, shape in shapes.items()}
    for role, array in made.items():
        if role.endswith("_weight"):
            array /= sqrt(prod(array.shape[-2:-1]))
    if isinstance(work, Chain):
        _clear(work, made)
    types = {**own.inputs, **own.constants}
    return {role: array.astype(types[role].dtype) for role, array in made.items()}


def packed(work: Work, arrays: Arrays) -> Arrays:
    """The same as the kernel takes them: weights of tensor cores as their fragments."""
    return as_fragments(work, arrays) if isinstance(work, Chain) and work.matrices else arrays


def _weight_shapes(work: Chain) -> dict[str, tuple[int, ...]]:
    """Of the weights of products, as they are before any is packed for tensor cores."""
    products = {name: getattr(work, name) for name in PRODUCTS}
    return {
        f"{name}_weight": (one.groups, one.inputs, one.vectors * one.lanes)
        for name, one in products.items()
        if one
    }


def _clear(work: Chain, arrays: Arrays) -> None:
    """Zeros past the last channel of each group, which nobody stores but some steps read."""
    for name in PRODUCTS:
        product = getattr(work, name)
        if product:
            arrays[f"{name}_weight"][:, :, product.outputs :] = 0
            arrays[f"{name}_bias"][:, product.outputs :] = 0
    for role in work.aliases:
        arrays[role] = arrays["data"]
    if work.follow and work.project and not work.pooled:
        arrays["follow_weight"][:, work.project.outputs :] = 0
