"""Weights in float16 with which a network's results change less than with the nearest."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.build import read_network
from pipeline.check import random_inputs
from pipeline.evaluate import evaluate
from pipeline.models import InputSpec, load
from pipeline.operators import Network, Operator
from pipeline.passes import narrow_weights, second_moments
from pipeline.passes.compensate_rounding import compensated
from pipeline.passes.narrow_weights import narrowed
from pipeline.passes.round_weights import rounded
from pipeline.passes.shuffle_where_written import shuffle_where_written

SEED = 31


def drawn(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, dtype="float32")


def small_network() -> Network:
    """A first convolution, and one of each kind that reads channels in another way."""
    print(f"seed {SEED}")
    rng = np.random.default_rng(SEED)
    operators = (
        Operator(
            "first_convolution", "image", "a", stride=2, activation="relu",
            weight=drawn(rng, 8, 3, 3, 3), bias=drawn(rng, 8),
        ),
        Operator("pointwise", "a", "b", groups=2, weight=drawn(rng, 12, 4), bias=drawn(rng, 12)),
        Operator("depthwise", "b", "c", stride=2, weight=drawn(rng, 12, 3, 3), bias=drawn(rng, 12)),
        Operator(
            "pointwise", "c", "d", groups=2, shuffle=2, weight=drawn(rng, 8, 6), bias=drawn(rng, 8)
        ),
        Operator("convolution", "d", "e", weight=drawn(rng, 4, 8, 3, 3), bias=drawn(rng, 4)),
    )  # fmt: skip
    sides = {"image": (3, 16), "a": (8, 8), "b": (12, 8), "c": (12, 4), "d": (8, 4), "e": (4, 4)}
    shapes = {name: (1, channels, side, side) for name, (channels, side) in sides.items()}
    return Network(operators, shapes, "image", "e")


def test_moments_tell_the_mean_square_of_what_filters_compute() -> None:
    network = small_network()
    moments = second_moments.second_moments(network, network.operators)
    shape = (1, 3, 16, 16)
    images = random_inputs(shape, second_moments.IMAGES, second_moments.SEED)
    for step, found in zip(network.operators, moments, strict=True):
        # Up to an operator, that one without its epilogue.
        before = network.operators[: network.operators.index(step)]
        bare = replace(step, activation="none")
        part = replace(network, operators=(*before, bare), result=step.writes)
        made = evaluate(part, torch.from_numpy(np.concatenate(images)), lambda *_: None)
        groups = len(found)
        filters = np.concatenate([step.bias[:, None], step.weight.reshape(len(step.bias), -1)], 1)
        filters = filters.reshape(groups, -1, found.shape[1])
        expected = np.einsum("gfi,gij,gfj->gf", filters, found, filters).reshape(-1)
        np.testing.assert_allclose((made**2).mean((0, 2, 3)), expected, rtol=1e-4)


def in_double(network: Network) -> Network:
    """The network with weights in float64."""
    operators = tuple(
        replace(
            step,
            weight=None if step.weight is None else step.weight.astype("float64"),
            bias=None if step.bias is None else step.bias.astype("float64"),
        )
        for step in network.operators
    )
    return replace(network, operators=operators)


@pytest.mark.parametrize("name", ["shufflenet-0.25x-g3-se", "googlenet"])
def test_operators_compute_what_pytorch_computes(name: str) -> None:
    """In float64, where the order of additions, which is each CPU's own, plays no part."""
    model = load(name, InputSpec(65, 96, batch=2))
    network = read_network(model)
    images = model.example.double()
    with torch.inference_mode():
        expected = model.module.double()(images)
    for same in map(in_double, (network, shuffle_where_written(network))):
        made = evaluate(same, images, lambda *_: None).reshape(expected.shape)
        assert (made - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_results_change_less_than_with_the_nearest_weights() -> None:
    """Of images that the rounding has not seen: of noise, and of plain patches."""
    spec = InputSpec(96, 96)
    network = read_network(load("shufflenet-0.5x-g1", spec))
    narrow = narrowed(network, "float16")
    nearest = replace(network, operators=tuple(to_nearest(step) for step in network.operators))
    for step in narrow.operators:
        for array in (step.weight, step.bias):
            assert array is None or (array == array.astype("float16")).all()
    noise = np.concatenate(random_inputs((1, 3, 96, 96), 6, SEED))
    patches = drawn(np.random.default_rng(SEED), 6, 3, 6, 6).repeat(16, 2).repeat(16, 3)
    for images in (noise, patches):
        of, narrow_of, nearest_of = (
            evaluate(one, torch.from_numpy(images), lambda *_: None)
            for one in (network, narrow, nearest)
        )
        assert ((narrow_of - of) ** 2).mean() <= ((nearest_of - of) ** 2).mean() / 2


def to_nearest(step: Operator) -> Operator:
    if step.weight is None or step.bias is None:
        return step
    weight, bias = (one.astype("float16").astype("float32") for one in (step.weight, step.bias))
    return replace(step, weight=weight, bias=bias)


def test_long_filters_keep_their_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrow_weights, "MOST_INPUTS", 10)
    network = small_network()
    longest, *_, last = narrowed(network, "float16").operators
    for step, before in ((longest, network.operators[0]), (last, network.operators[-1])):
        np.testing.assert_array_equal(step.weight, rounded(before.weight, "float16"))


def test_groups_are_rounded_each_by_its_own_moments() -> None:
    print(f"seed {SEED}")
    rng = np.random.default_rng(SEED)
    inputs = rng.random((2, 500, 100)) @ rng.random((2, 100, 100))
    known = np.concatenate([np.ones((2, 500, 1)), inputs], axis=2)
    moments = known.swapaxes(1, 2) @ known / 500
    weight, bias = rng.standard_normal((2, 7, 100)), rng.standard_normal((2, 7))
    made = compensated(weight, bias, moments, "float16")
    for group in range(2):
        one = slice(group, group + 1)
        alone = compensated(weight[one], bias[one], moments[one], "float16")
        for whole, part in zip(made, alone, strict=True):
            np.testing.assert_array_equal(whole[one], part)

    def error(weights: np.ndarray, biases: np.ndarray) -> float:
        off = known @ np.concatenate([biases - bias, weights - weight], 2).swapaxes(1, 2)
        return float((off**2).mean())

    bias, weight = bias[..., None], weight
    nearest = error(*(one.astype("float16").astype("float64") for one in (weight, bias)))
    assert error(made[0], made[1][..., None]) < nearest / 50


def test_what_float16_can_hold_stays_as_it_is() -> None:
    weight, bias = np.arange(-8, 8, dtype="float64").reshape(1, 2, 8), np.array([[0.5, -0.25]])
    moments = np.eye(9)[None] + 1
    made = compensated(weight, bias, moments, "float16")
    np.testing.assert_array_equal(made[0], weight)
    np.testing.assert_array_equal(made[1], bias)
