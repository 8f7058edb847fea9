"""What a kernel for a GPU computes, by its definition: on whole tensors, in NumPy.

    middle = expand(source)          [images, height, width, channels]
    windowed = window(middle)
    result = project(windowed) + residual
    after = follow(result and pool)

Nothing here knows of tiles, blocks or threads, so a fault of those shows beside it. Arithmetic is
float32, and what a kernel keeps between its steps is rounded to the type in which it keeps it.
Weights are [group, k, output]; where a kernel leaves a tensor as it is, values are not a number.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schedules.cuda.chain import Chain
from schedules.cuda.mean import Mean
from schedules.cuda.operators import Work, signature
from schedules.cuda.patch import KERNEL
from schedules.cuda.product import Product
from schedules.cuda.scale import Scale
from schedules.cuda.window import Window
from schedules.frame import Frame, Planes

Array = NDArray[Any]
Arrays = Mapping[str, Array]


def expected(work: Work, arrays: Arrays) -> dict[str, Array]:
    """What a kernel makes of its inputs and constants, both by role."""
    wide = {role: array.astype("float32") for role, array in arrays.items()}
    types = signature(work).outputs
    made = {role: np.full(one.shape, np.nan, "float32") for role, one in types.items()}
    if isinstance(work, Mean):
        made["out"][:] = _image(wide["data"], work.source).mean((1, 2))
    elif isinstance(work, Scale):
        made["out"][:, work.offset : work.offset + work.source.channels] = _scaled(work, wide)
    else:
        _chain(work, wide, made)
    return {role: made[role].astype(one.dtype) for role, one in types.items()}


def _scaled(work: Scale, arrays: Arrays) -> Array:
    each = work.source.height * work.source.width
    values = arrays["data"] * arrays["gate"].repeat(each, 0)
    if work.residual:
        values = values + arrays["residual"][:, : work.source.channels]
    return _activated(values, work.activation)


def _chain(work: Chain, arrays: Arrays, made: dict[str, Array]) -> None:
    """All steps that a chain has."""
    values, target = _first(work, arrays), work.target
    if work.expand:
        values = _kept(_product(work.expand, values, arrays, "expand"), work.dtype)
    pooled = None
    if work.pooled and work.pool:
        pooled = _windowed(work.pool, _image(arrays["pooled"], work.pooled), arrays)
        pooled = _kept(pooled.reshape(target.pixels, -1), work.dtype)
        made["out"][:, work.pool_offset : work.pool_offset + pooled.shape[1]] = pooled
    if work.window:
        values = _windowed(work.window, values, arrays)
    if not work.project:
        channels = min(values.shape[-1], target.channels - work.offset)
        flat = values.reshape(target.pixels, -1)[:, :channels]
        made["out"][:, work.offset : work.offset + channels] = flat
        return
    residual = arrays["residual"] if work.residual else None
    flat = _kept(values, work.dtype).reshape(target.pixels, -1)
    result = _product(work.project, flat, arrays, "project", residual)
    if work.mean:
        made["out"][:] = _image(_kept(result, work.dtype), target).mean((1, 2))
    elif work.order and not work.follow:
        made["out"][:] = _ordered(work, result)
    else:
        made["out"][:, work.offset : work.offset + result.shape[1]] = result
    if work.follow:
        kept = _handed_on(work, _kept(result, work.dtype), pooled)
        made["after"][:] = _ordered(work, _product(work.follow, kept, arrays, "follow"))


def _first(work: Chain, arrays: Arrays) -> Array:
    """What the first step reads, as images, or for a product over images its patches."""
    data, source = arrays["data"], work.source
    if isinstance(source, Planes):
        product, frame = (work.expand, work.middle) if work.expand else (work.project, work.target)
        assert product is not None
        assert frame is not None
        taps = _taps(_kept(data, work.dtype).transpose(0, 2, 3, 1), work.stride, frame)
        patches = np.zeros((frame.images, frame.height, frame.width, product.inputs), "float32")
        # Of each plane all taps.
        under = np.stack(taps, -1).reshape(*patches.shape[:3], -1)
        patches[..., : under.shape[-1]] = under
        return patches
    if work.gather > 1:
        each = source.channels // work.gather
        data = data[:, [c % work.gather * each + c // work.gather for c in range(source.channels)]]
    return _image(data, source)


def _product(
    product: Product, values: Array, arrays: Arrays, name: str, residual: Array | None = None
) -> Array:
    """A grouped 1x1 convolution of the last axis; of a group only its channels, or for what a
    window reads all places of its vectors."""
    weight, bias = arrays[f"{name}_weight"], arrays[f"{name}_bias"]
    places = weight.shape[2] if name == "expand" else product.outputs
    made = np.empty((*values.shape[:-1], product.groups, places), "float32")
    for group in range(product.groups):
        first = product.source(group) * product.inputs
        own = values[..., first : first + product.inputs]
        made[..., group, :] = own @ weight[group, :, :places] + bias[group, :places]
    sums = made.reshape(*values.shape[:-1], -1)
    if residual is not None:
        sums = sums + residual[:, : sums.shape[-1]]
    return _activated(sums, product.activation)


def _windowed(window: Window, image: Array, arrays: Arrays) -> Array:
    """A 3x3 window over images, padded by one."""
    images, height, width, channels = image.shape
    rows, columns = -(-height // window.stride), -(-width // window.stride)
    taps = _taps(image, window.stride, Frame(images, rows, columns, channels))
    total = np.zeros(taps[0].shape, "float32")
    if window.kind == "max":
        for tap in taps:
            np.maximum(total, tap, out=total)
        return _activated(total, window.activation)
    if window.kind == "average":
        for tap in taps:
            total += tap
        return _activated(total / len(taps), window.activation)
    for tap, weight in zip(taps, arrays["window_weight"], strict=True):
        total += tap * weight
    return _activated(total + arrays["window_bias"], window.activation)


def _taps(image: Array, stride: int, frame: Frame) -> list[Array]:
    """What lies under each place of a padded window, for all pixels of a frame."""
    padded = np.pad(image, [(0, 0), (1, 1), (1, 1), (0, 0)])
    down, across = stride * frame.height, stride * frame.width
    return [
        padded[:, row : row + down : stride, column : column + across : stride]
        for row in range(KERNEL)
        for column in range(KERNEL)
    ]


def _handed_on(work: Chain, result: Array, pooled: Array | None) -> Array:
    """What the product that follows reads: beside a pool all channels of the target, else each
    group up to whole accesses."""
    assert work.project is not None
    if pooled is not None:
        whole = np.zeros((len(result), work.target.channels), "float32")
        whole[:, work.offset : work.offset + result.shape[1]] = result
        whole[:, work.pool_offset : work.pool_offset + pooled.shape[1]] = pooled
        return whole
    places = work.project.vectors * work.project.lanes
    whole = np.zeros((len(result), work.project.groups, places), "float32")
    whole[..., : work.project.outputs] = result.reshape(len(result), work.project.groups, -1)
    return whole.reshape(len(result), -1)


def _ordered(work: Chain, result: Array) -> Array:
    """The channels in their order, zeros in the places that have none."""
    if work.order is None:
        return result
    made = np.zeros((len(result), work.order.places), "float32")
    made[:, [work.order.place(channel) for channel in range(result.shape[1])]] = result
    return made


def _image(flat: Array, frame: Frame) -> Array:
    return flat.reshape(frame.images, frame.height, frame.width, -1)


def _kept(values: Array, dtype: str) -> Array:
    """As it is after it was stored in that type."""
    return values.astype(dtype).astype("float32")


def _activated(values: Array, activation: str) -> Array:
    if activation == "relu":
        return np.maximum(values, 0)
    if activation == "sigmoid":
        made: Array = 1 / (1 + np.exp(-values))
        return made
    return values
