"""Activations take little more than the two largest tensors that must be there at once."""

from dataclasses import replace
from math import prod

import pytest

from pipeline.build import apply, emitted, lower, read_network, serve
from pipeline.models import load
from pipeline.operators import Network
from pipeline.passes.one_region import NETWORK, in_one_region
from pipeline.records import Records
from pipeline.targets import host
from schedules.machine import Machine
from tests.schedules.running import AVX2, NEON

TARGET = host()
# Over the largest pair. Each strip keeps some rows to itself, and more cores have more strips.
MOST = 1.25
FLOAT32 = 4


def largest_pair(network: Network) -> int:
    """Bytes of the two largest tensors that live at the same time, as PyTorch has them: a sum that
    replaces its shortcut here is another tensor. The image is left out."""
    born: dict[str, int] = {}
    dies: dict[str, int] = {}
    for at, step in enumerate(network.operators):
        born.setdefault(step.writes, at)
        read = (step.data, step.residual, step.gate)
        dies |= dict.fromkeys([step.writes, *(name for name in read if name in born)], at)
    pairs = []
    for at, step in enumerate(network.operators):
        live = [name for name in born if born[name] <= at <= dies[name]]
        live += [step.writes] if step.writes == step.residual else []
        sizes = sorted(FLOAT32 * prod(network.shapes[name]) for name in live)
        pairs.append(sum(sizes[-2:]))
    return max(pairs)


@pytest.mark.parametrize(
    "name",
    [
        "shufflenet-0.5x-g3",
        "shufflenet-1.0x-g1",
        "shufflenet-1.0x-g2",
        "shufflenet-1.0x-g3",
        "shufflenet-1.0x-g4",
        "shufflenet-1.0x-g8",
        "shufflenet-2.0x-g3",
        "mobilenet-0.5",
        "mobilenet-1.0",
    ],
)
def test_activations_take_little_more_than_the_largest_pair(name: str) -> None:
    assert_little_more_than_the_largest_pair(name, TARGET.machine)


@pytest.mark.parametrize("machine", [AVX2, NEON], ids=lambda machine: machine.name)
@pytest.mark.parametrize("name", ["shufflenet-1.0x-g3", "shufflenet-1.0x-g8"])
def test_so_they_do_on_other_cores(name: str, machine: Machine) -> None:
    assert_little_more_than_the_largest_pair(name, machine)


def assert_little_more_than_the_largest_pair(name: str, machine: Machine) -> None:
    model, target = load(name), replace(TARGET, machine=replace(machine, cores=2))
    made = lower(model, target)
    by_hand = Records(target.family, {})
    functions = {one: apply(one, serve(one, target, by_hand).tile) for one in made.kernels}
    module, _ = emitted(made, functions)
    memory = in_one_region(module)[NETWORK].params[-1]
    (taken,) = (int(extent) for extent in memory.shape)
    pair = largest_pair(read_network(model))
    print(f"{taken} bytes of {pair}: {taken / pair:.3f}")
    assert taken <= MOST * pair
