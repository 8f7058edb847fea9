"""A network in one parallel region computes what its kernels compute one by one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import IRModule, relax, tirx

from pipeline.build import apply, build, by_hand, emitted, lower
from pipeline.compiling import compile_network
from pipeline.models import InputSpec, load
from pipeline.passes.kernel_calls import read_calls
from pipeline.passes.one_region import in_one_region
from pipeline.passes.plan_fetches import most_ahead
from pipeline.records import Records
from pipeline.targets import host, target_named
from schedules.cpu.huge_pages import filling
from schedules.cpu.phases import bytes_of
from schedules.machine import LINE

# Branches, pools, and tensors that are updated in place.
NETWORK = "shufflenet-0.25x-g4-se"


def test_one_region_computes_the_same_to_the_bit() -> None:
    model = load(NETWORK, InputSpec(64, 64), seed=6)
    print("seed 6")
    lowered = lower(model, host())
    functions = {kernel: apply(kernel, by_hand(kernel, host())) for kernel in lowered.kernels}
    module, _ = emitted(lowered, functions)
    image = tvm.runtime.tensor(model.example.numpy())
    together, apart = (
        relax.VirtualMachine(compile_network(module, host(), apart), tvm.cpu())["main"](image)
        for apart in (False, True)
    )
    assert np.isfinite(apart.numpy()).all()
    np.testing.assert_array_equal(together.numpy(), apart.numpy())


def test_kernels_fetch_constants_that_come_after_their_own() -> None:
    target = target_named("x86-64-v4")
    lowered = lower(load("shufflenet-1.0x-g3", InputSpec(64, 64)), target)
    functions = {kernel: apply(kernel, by_hand(kernel, target)) for kernel in lowered.kernels}
    module = in_one_region(emitted(lowered, functions)[0])
    fetching = 0
    for phase, places in _calls(module):
        if any(one.name == "later_place" for one in module[phase].params):
            fetching += 1
            *tensors, _, first, apart = places
            own = [offset for place in tensors if (offset := _offset(place)) is not None]
            assert all(int(first) > offset for offset in own)
            assert int(apart) > 0
    assert fetching > len(lowered.calls) // 2


def test_of_the_classifier_the_first_turns_fetch_what_the_first_core_reads() -> None:
    target = target_named("x86-64-v4")
    lowered = lower(load("shufflenet-1.0x-g3", InputSpec(64, 64)), target)
    functions = {kernel: apply(kernel, by_hand(kernel, target)) for kernel in lowered.kernels}
    calls = _calls(in_one_region(emitted(lowered, functions)[0]))
    _, last = calls[-1]
    begin = min(offset for place in last if (offset := _offset(place)) is not None)
    half = sum(lowered.calls[-1].kernel.stages[-1].constant_bytes.values()) / 2
    fetched = [
        (int(first), int(apart))
        for _, (*_, first, apart) in calls
        if isinstance(first, tirx.IntImm) and int(first) >= begin
    ]
    assert len(fetched) > 1
    assert [first for first, _ in fetched] == sorted(first for first, _ in fetched)
    assert all(first < begin + half for first, _ in fetched)
    assert all(abs(apart - half) <= 2 * LINE for _, apart in fetched)


def test_with_a_limit_only_the_kernel_before_the_classifier_fetches_of_it() -> None:
    target = target_named("x86-64-v4")
    lowered = lower(load("shufflenet-1.0x-g3", InputSpec(64, 64)), target)
    functions = {kernel: apply(kernel, by_hand(kernel, target)) for kernel in lowered.kernels}
    module = emitted(lowered, functions)[0]

    def fetching_of_it(ahead: int | None) -> int:
        calls = _calls(in_one_region(module, ahead=ahead))
        begin = min(offset for place in calls[-1][1] if (offset := _offset(place)) is not None)
        firsts = [first for _, (*_, first, _) in calls if isinstance(first, tirx.IntImm)]
        return sum(int(first) >= begin for first in firsts)

    assert fetching_of_it(None) > 1 >= fetching_of_it(LINE)


@pytest.mark.parametrize("size", [2**20, 2**21])
def test_a_target_has_the_limit_of_its_cache(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = replace(host().machine, l2_bytes=size)
    told: list[int | None] = []

    def noting(module: IRModule, huge_pages: bool, ahead: int | None) -> IRModule:
        told.append(ahead)
        return in_one_region(module, huge_pages, ahead)

    monkeypatch.setattr("pipeline.compiling.in_one_region", noting)
    no_records = Records(host().family, {})
    build(load("mobilenet-0.25", InputSpec(64, 64)), replace(host(), machine=machine), no_records)
    assert told == [most_ahead(machine)]


@pytest.mark.parametrize("huge_pages", [False, True])
def test_a_network_asks_for_huge_pages_where_it_is_told_to(huge_pages: bool) -> None:
    lowered = lower(load("shufflenet-1.0x-g3", InputSpec(64, 64)), host())
    functions = {kernel: apply(kernel, by_hand(kernel, host())) for kernel in lowered.kernels}
    module = in_one_region(emitted(lowered, functions)[0], huge_pages)
    assert ("madvise" in str(module["network"])) == huge_pages
    constants = bytes_of(module["network"].params[1])
    assert (filling(constants) == constants) == huge_pages


def _calls(module: IRModule) -> list[tuple[tvm.ir.GlobalVar, list[Any]]]:
    """The phases that the network calls, and the places of their tensors."""
    region = module["network"].body.body
    return [(one.value.op, list(one.value.args)[:-2]) for one in region.seq]


def _offset(place: Any) -> int | None:
    """The byte of the constants that a place is, if it is one of them."""
    (load,) = place.args
    # A tensor of the network's own is a variable, not a place in another.
    if isinstance(load, tirx.Var) or load.source.name != "constants":
        return None
    return int(load.indices[0])


def test_calls_are_read_with_what_they_write_in_place() -> None:
    lowered = lower(load(NETWORK, InputSpec(64, 64)), host())
    functions = {kernel: apply(kernel, by_hand(kernel, host())) for kernel in lowered.kernels}
    read = read_calls(emitted(lowered, functions)[0]["main"])
    assert len(read.calls) == len(lowered.calls)
    names: dict[str, int] = {lowered.network.source: 0}
    for call, (_, tensors) in zip(lowered.calls, read.calls, strict=True):
        kernel = call.kernel
        own = [*kernel.inputs, *[None] * len(call.constants_in_order), *kernel.outputs]
        for name, number in zip(own, tensors, strict=True):
            if name is not None:
                assert names.setdefault(call.tensors[name], number) == number
    assert read.results == [names[lowered.network.result]]
    assert len(set(names.values())) == len(names)


def test_another_operator_is_named() -> None:
    builder, image = relax.BlockBuilder(), relax.Var("image", relax.TensorType((4,), "float32"))
    with builder.function("main", [image]):
        with builder.dataflow():
            made = builder.emit_output(relax.op.add(image, image))
        builder.emit_func_output(made)
    module: IRModule = builder.get()
    with pytest.raises(ValueError, match=r"relax\.add is no call of a kernel"):
        in_one_region(module)
