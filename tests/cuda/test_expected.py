"""Kernels compute their definition in NumPy, by which candidates of tuning are checked."""

import numpy as np
import pytest
import torch

from pipeline.build import read_network
from pipeline.check import random_inputs
from pipeline.gpu.analysis import launch_of
from pipeline.gpu.expected import expected
from pipeline.gpu.fuse import fused
from pipeline.gpu.random_arguments import packed, random_arguments
from pipeline.models import InputSpec, load
from pipeline.targets.gpu import GPUS
from pipeline.tune.worker import check
from schedules.cuda.chain import on_matrices
from schedules.cuda.operators import Work, hand_tile, program, signature
from tests.cuda.emulator import Emulated, cuda_source
from tests.cuda.half_works import OTHERS, PRODUCTS
from tests.cuda.running import run
from tests.cuda.test_tiles import WORKS

SEED = 5
T4 = GPUS["t4"]
# On tensor cores a kernel takes long to emulate; the others differ in what `WORKS` have as well.
ON_MATRICES = ("unit of groups", "pooled follow", "fused mean")
HALVES = {**OTHERS, **{name: on_matrices(PRODUCTS[name]) for name in ON_MATRICES}}


@pytest.mark.parametrize("work", WORKS, ids=range(len(WORKS)))
def test_a_kernel_computes_its_definition(work: Work) -> None:
    arguments = random_arguments(work, SEED)
    made = run(program(work, hand_tile(work, T4)), packed(work, arguments), signature(work).outputs)
    for role, values in expected(work, arguments).items():
        check(made[role], values)


def test_kernels_in_float16_compute_their_definitions() -> None:
    functions = {
        f"kernel{n}": program(one, hand_tile(one, T4)) for n, one in enumerate(HALVES.values())
    }
    emulated = Emulated(cuda_source(functions))
    for (name, function), work in zip(functions.items(), HALVES.values(), strict=True):
        arguments, types = random_arguments(work, SEED), signature(work).outputs
        fresh = {role: np.full(one.shape, np.nan, one.dtype) for role, one in types.items()}
        made = emulated.run(name, launch_of(function).blocks, packed(work, arguments) | fresh)
        for role, values in expected(work, arguments).items():
            check(made[role], values)
            assert made[role].dtype == values.dtype == types[role].dtype


def test_a_definition_tells_one_step_from_another() -> None:
    work = next(one for one in WORKS if getattr(one, "follow", None))
    arguments = random_arguments(work, SEED)
    right = expected(work, arguments)
    for role in ("data", "window_bias", "project_weight", "follow_weight"):
        other = expected(work, arguments | {role: arguments[role] * 1.01})
        with pytest.raises(ValueError, match="relative error"):
            check(other["after"], right["after"])


def test_definitions_of_a_network_compute_what_pytorch_computes() -> None:
    model = load("shufflenet-0.25x-g4-se", InputSpec(64, 96, batch=2), seed=3)
    (images,) = random_inputs(tuple(model.example.shape), 1, 4)
    network = read_network(model)
    values = {network.source: images}
    for call in fused(network, GPUS["h100"]):
        own = signature(call.work)
        inputs = {r: values[call.reads[r]].reshape(one.shape) for r, one in own.inputs.items()}
        for role, made in expected(call.work, inputs | call.constants).items():
            # Another kernel may have written other channels of the tensor.
            before = values.get(call.writes[role], made)
            values[call.writes[role]] = np.where(np.isnan(made), before, made)
    with torch.inference_mode():
        wanted = model.module(torch.from_numpy(images)).numpy()
    check(values[network.result].reshape(network.result_shape), wanted)
