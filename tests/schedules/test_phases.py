"""Phases compute what their function does, on however many cores, and each core does its share."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import IRModule, tirx
from tvm.ir import Call, GlobalVar
from tvm.tirx import PrimFunc

from pipeline.compiling import OPTIONS
from pipeline.lowering import lowering
from pipeline.targets import host
from schedules.cpu.kernel import Kernel
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.phases import Phases, bytes_of, phases_of, rounded
from schedules.cpu.pointwise import Pointwise
from schedules.frame import Frame
from tests.schedules import layers
from tests.schedules.running import AVX2, arguments_of, assert_same, called, run

ROOT = Path(__file__).parents[2]
UNIT = (7, 7, 20, 3, 80)


@pytest.mark.parametrize("cores", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("sharing", ["strips", "pixels", "stages"])
def test_phases_compute_the_same_on_any_number_of_cores(sharing: str, cores: int) -> None:
    kernel = layers.unit(UNIT, AVX2, 0)
    arguments = arguments_of(kernel)
    function = one_core_after_the_other(scheduled_by_hand(kernel, sharing), range(cores), cores)
    assert_same(called(function, kernel, arguments), run(program(kernel), kernel, arguments))


def test_a_core_does_its_own_share_only() -> None:
    work = Pointwise(Frame(1, 6, 5, 16), Frame(1, 6, 5, 32), 2, 8, 16, AVX2.lanes)
    kernel = layers.alone(work)
    arguments = arguments_of(kernel)
    function = scheduled(kernel, layers.hand_tiles(kernel, AVX2), "stages")
    (whole,) = run(program(kernel), kernel, arguments).values()
    written = []
    for core in range(3):
        first = one_core_after_the_other(function, [core], 3)
        (found,) = called(first, kernel, arguments).values()
        written.append(found == found)
        np.testing.assert_allclose(found[written[-1]], whole[written[-1]], rtol=0, atol=1e-4)
    assert sum(written).tolist() == (whole == whole).astype(int).tolist()
    assert all(own.any() for own in written[:2])


@pytest.mark.parametrize("threads", [1, 2])
def test_every_core_sees_which_it_is_and_of_how_many(threads: int) -> None:
    """Also where there are more than it can tell apart. TVM takes no more threads than CPUs."""
    command = [sys.executable, "-m", "tests.schedules.cores", "1", "2", "256"]
    environment = os.environ | {"TVM_NUM_THREADS": str(threads)}
    done = subprocess.run(command, check=True, env=environment, cwd=ROOT, stdout=subprocess.PIPE)
    for most, found in json.loads(done.stdout).items():
        cores = min(threads, len(os.sched_getaffinity(0)), int(most))
        each = -(-len(found) // cores)
        assert found == [turn // each + 1000 * cores for turn in range(len(found))]


def scheduled_by_hand(kernel: Kernel, sharing: Any) -> PrimFunc:
    return scheduled(kernel, layers.hand_tiles(kernel, AVX2), sharing)


def one_core_after_the_other(function: PrimFunc, chosen: Sequence[int], cores: int) -> Any:
    """The function, of which one core plays all, or some, in turn."""
    return of_phases(phases_of(function), chosen, cores)


def of_phases(made: Phases, chosen: Sequence[int], cores: int) -> Any:
    """The same of phases; those that fetch for others find what they read themselves."""
    names = [GlobalVar(f"phase{number}") for number in range(len(made.phases))]
    module = {
        name: phase.function.with_attr("global_symbol", name.name_hint)
        for name, phase in zip(names, made.phases, strict=True)
    }
    module[GlobalVar("main")] = _in_turns(made, names, chosen, cores)
    with tvm.transform.PassContext(opt_level=3, config=OPTIONS):
        library = tvm.compile(IRModule(module), target=host().tvm, tir_pipeline=lowering())
    return library["main"]


def _in_turns(
    made: Phases, names: Sequence[GlobalVar], chosen: Sequence[int], cores: int
) -> PrimFunc:
    held = [tirx.decl_buffer((rounded(bytes_of(one)),), "uint8") for one in made.scratch]
    places = [tensor.data for tensor in (*made.parameters, *held, made.parameters[0])]
    calls = [
        tirx.Evaluate(
            Call(
                name,
                [
                    *(places[number] for number in phase.tensors),
                    tirx.IntImm("int32", core),
                    tirx.IntImm("int32", cores),
                ],
                ret_ty="int32",
            )
        )
        for name, phase in zip(names, made.phases, strict=True)
        for core in chosen
    ]
    body = [*(tirx.AllocBuffer(one) for one in held), *calls]
    function = PrimFunc(list(made.parameters), tirx.SeqStmt(body) if body[1:] else body[0])
    return function.with_attr("global_symbol", "main").with_attr("s_tir", True)
