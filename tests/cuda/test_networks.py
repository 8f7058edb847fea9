"""Whole networks as kernels for a GPU, run on PoCL, compute what PyTorch computes."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
import tvm
from tvm import relax

from pipeline.build import read_network
from pipeline.gpu.bound import device_bytes
from pipeline.gpu.calls import Call, calls_of
from pipeline.gpu.emit import emit
from pipeline.gpu.fuse import apart, fused
from pipeline.gpu.units import find_units
from pipeline.models import InputSpec, Model, load
from pipeline.operators import Network
from pipeline.targets.gpu import GPUS
from schedules.cuda.chain import Chain
from schedules.cuda.operators import hand_tile, program, signature
from schedules.cuda.tiles import starves
from tests.cuda.running import run_into

TOLERANCE = 1e-4
SMALL = InputSpec(64, 64)
H100 = GPUS["h100"]

FUSED = [
    ("shufflenet-1.0x-g1", SMALL),
    ("shufflenet-1.0x-g2", SMALL),
    ("shufflenet-1.0x-g3", SMALL),
    ("shufflenet-1.0x-g4", SMALL),
    ("shufflenet-1.0x-g8", SMALL),
    ("shufflenet-0.25x-g8-se-shallow", InputSpec(64, 96, batch=3, classes=7)),
    ("shufflenet-0.25x-g4", InputSpec(65, 67, batch=2, classes=3)),
    ("mobilenet-1.0", SMALL),
    ("mobilenet-0.25", InputSpec(71, 128, batch=2)),
]


def network_of(model: Model) -> Network:
    return read_network(model)


@cache
def full_size(name: str) -> Network:
    return network_of(load(name))


def all_here(network: Network) -> list[Call]:
    """The calls of a network whose units all compute their own expansion."""
    return [
        call
        for unit in find_units(network)
        for call in calls_of(
            network, unit, "here" if unit.expand and unit.window else "apart", None
        )
    ]


def compute(network: Network, calls: list[Call], images: np.ndarray) -> np.ndarray:
    """The network's result, every kernel on PoCL, tensors filled with NaN before."""
    values = {network.source: images}
    for call in calls:
        own = signature(call.work)
        inputs = {r: values[call.reads[r]].reshape(one.shape) for r, one in own.inputs.items()}
        for role, one in own.constants.items():
            assert (call.constants[role].shape, call.constants[role].dtype) == (
                one.shape,
                one.dtype,
            )
        outputs = {
            role: values.get(call.writes[role], np.full(one.shape, np.nan, one.dtype))
            for role, one in own.outputs.items()
        }
        function = program(call.work, hand_tile(call.work, H100))
        made = run_into(function, inputs | call.constants, outputs)
        values |= {call.writes[role]: array for role, array in made.items()}
    return values[network.result].reshape(network.result_shape)


def assert_equals_pytorch(model: Model, calls: list[Call], network: Network) -> None:
    images = np.random.default_rng(4).standard_normal(tuple(model.example.shape), "float32")
    print("seeds 3, 4")
    ours = compute(network, calls, images)
    with torch.inference_mode():
        expected = model.module(torch.from_numpy(images)).numpy()
    assert np.abs(ours - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize(("name", "spec"), FUSED, ids=str)
def test_fused_network_computes_what_pytorch_computes(name: str, spec: InputSpec) -> None:
    model = load(name, spec, seed=3)
    network = network_of(model)
    assert_equals_pytorch(model, fused(network, H100), network)


def test_one_kernel_an_operator_computes_what_pytorch_computes() -> None:
    model = load("shufflenet-0.5x-g3-shallow", SMALL, seed=3)
    network = network_of(model)
    assert_equals_pytorch(model, apart(network), network)


def test_a_mobilenet_is_few_kernels() -> None:
    assert len(fused(full_size("mobilenet-1.0"), H100)) <= 16


def test_a_shufflenet_is_few_kernels_and_none_for_the_shuffle() -> None:
    network = full_size("shufflenet-1.0x-g3")
    calls = fused(network, H100)
    assert len(calls) <= 20
    assert sum(operator.shuffle > 1 for operator in network.operators) == 16
    assert all(call.work.gather == 1 for call in calls if isinstance(call.work, Chain))
    assert_few_bytes(network, calls, 0.64)


def test_no_kernel_is_chosen_that_has_too_few_warps() -> None:
    gpu = GPUS["t4"]
    calls = fused(network_of(load("shufflenet-1.0x-g1", InputSpec(224, 224, batch=128))), gpu)
    chains = [call.work for call in calls if isinstance(call.work, Chain)]
    assert not any(starves(chain, hand_tile(chain, gpu), gpu) for chain in chains)


@pytest.mark.parametrize(("name", "batch", "share"), [("jetson-orin", 1, 0.64), ("h100", 128, 0.6)])
def test_fused_kernels_move_few_of_the_bytes(name: str, batch: int, share: float) -> None:
    network = network_of(load("shufflenet-1.0x-g3", InputSpec(224, 224, batch)))
    assert_few_bytes(network, fused(network, GPUS[name]), share)


def assert_few_bytes(network: Network, calls: Sequence[Call], share: float) -> None:
    """Of one kernel an operator. At batch 1 there are kernels that move fewer, 0.60, and are
    slower: on an H200 88 against 82 us."""
    moved = [sum(device_bytes(one.work) for one in some) for some in (calls, apart(network))]
    print(f"{moved[0]} bytes fused, {moved[1]} one kernel an operator")
    assert moved[0] <= share * moved[1]
    # Weights are among them, each once; of activations alone it is less.
    weights = sum(array.nbytes for call in calls for array in call.constants.values())
    assert 0 < moved[0] - weights <= 0.6 * (moved[1] - weights)


def test_a_tensor_of_two_roles_moves_once() -> None:
    network = full_size("shufflenet-1.0x-g3")
    twice = [call for call in all_here(network) if call.reads.get("residual") == call.reads["data"]]
    assert twice
    for call in twice:
        again = device_bytes(replace(call.work, aliases=())) - device_bytes(call.work)
        assert again == 4 * call.work.target.pixels * call.work.target.channels


def test_no_kernel_writes_in_place_what_it_reads() -> None:
    """Its blocks read each other's pixels: on PoCL, where every array is copied, it would pass."""
    network = full_size("shufflenet-1.0x-g3")
    calls = all_here(network)
    assert any(call.writes["out"] in call.reads.values() for call in calls)
    (block,) = emitted(network, calls)["main"].body.blocks
    values = [binding.value for binding in block.bindings if isinstance(binding.value, relax.Call)]
    in_place = [value for value in values if value.op.name == "relax.call_tir_inplace"]
    for value in in_place:
        arguments = list(value.args[1])
        written = arguments[value.attrs.inplace_indices[0]]
        assert sum(one.same_as(written) for one in arguments) == 1


def test_calls_become_a_function_for_cuda() -> None:
    network = network_of(load("shufflenet-0.25x-g8-se-shallow", SMALL))
    calls = fused(network, H100)
    module = emitted(network, calls)
    tvm.relax.analysis.well_formed(module)
    kernels = [name for name in module.functions if name.name_hint.startswith("kernel")]
    assert len(kernels) == len({call.work for call in calls})
    assert "call_tir_inplace" in module["main"].script()


def emitted(network: Network, calls: list[Call]) -> tvm.IRModule:
    functions = {}
    for call in calls:
        name = f"kernel{len(functions)}"
        functions.setdefault(call.work, (name, program(call.work, hand_tile(call.work, H100))))
    return emit(network, calls, functions)
