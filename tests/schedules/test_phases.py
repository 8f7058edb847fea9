"""Phases compute what their function does, on however many cores, and each core does its share."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
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
from schedules.cpu.dealing import AWAY
from schedules.cpu.kernel import Kernel
from schedules.cpu.kernel_function import program, scheduled
from schedules.cpu.mean import Mean
from schedules.cpu.phases import Phases, bytes_of, phases_of, rounded
from schedules.cpu.pointwise import Pointwise, Tile
from schedules.cpu.tiles import with_strips
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


@pytest.mark.parametrize("rows", [1, 2])
def test_strips_of_a_core_have_what_no_other_reads_in_one_place(rows: int) -> None:
    kernel = layers.unit(UNIT, AVX2, 0)
    tiles = [with_strips(tile, rows) for tile in layers.hand_tiles(kernel, AVX2)]
    made = phases_of(scheduled(kernel, tiles, "strips"))
    (own,) = made.scratch
    outside = replace(made, parameters=(*made.parameters, own), scratch=())
    main = of_phases(outside, range(2), 2)
    seen = tvm.runtime.tensor(np.full([int(one) for one in own.shape], np.nan, "float32"))
    arguments = arguments_of(kernel)
    found = called(lambda *given: main(*given, seen), kernel, arguments)
    assert_same(found, run(program(kernel), kernel, arguments))
    written = np.isfinite(seen.numpy()).all(axis=(1, 2))
    strips = -(-kernel.rows // rows)
    first = -(-strips // 2) * rows
    assert np.flatnonzero(written).tolist() == [*range(rows), *range(first, first + rows)]


def test_a_mean_hands_other_cores_the_sums_of_rows_and_no_more() -> None:
    height, own = 7, slice(4, 7)
    work = Mean(Frame(1, height, 5, 20), Frame(1, 1, 1, 20), AVX2.lanes)
    kernel = layers.alone(work)
    made = phases_of(scheduled(kernel, layers.hand_tiles(kernel, AVX2), "stages"))
    (rows,) = made.scratch
    summing, adding = made.phases
    assert set(summing.tensors) & set(adding.tensors) == {len(made.parameters)}
    whole = replace(made, parameters=(*made.parameters, rows), scratch=(), phases=(summing,))
    main = of_phases(whole, [1], 2)
    shape = [int(extent) for extent in rows.shape]
    seen = tvm.runtime.tensor(np.full(shape, np.nan, "float32"))
    arguments = arguments_of(kernel)
    called(lambda *given: main(*given, seen), kernel, arguments)
    found = seen.numpy()
    assert np.isnan(found).all(axis=(1, 2)).tolist() == [row < own.start for row in range(height)]
    expected = arguments["data"][own].sum(axis=1)
    for number in range(work.vectors.count):
        first = int(work.vectors.start(number))
        lanes = expected[:, first : first + AVX2.lanes]
        np.testing.assert_allclose(found[own, number], lanes, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cores", [1, 2, 3, 4])
def test_what_cores_share_again_and_again_they_leave_from_the_middle(cores: int) -> None:
    turns, each = 10, -(-10 // cores)
    order = tvm.runtime.tensor(np.zeros(turns, "int32"))
    made = phases_of(_counting(turns))
    of_phases(made, range(cores), cores)(order)
    for core in range(cores):
        own = order.numpy()[core * each : (core + 1) * each]
        count = range(len(own) + 1, 2 * len(own) + 1)
        assert own.tolist() == list(count)[:: -1 if 2 * core + 1 < cores else 1]


def _counting(turns: int) -> PrimFunc:
    """Which turn of a loop that cores share is a core's how-manieth, the second time."""
    order = tirx.decl_buffer((turns,), "int32", name="order")
    again, turn = tirx.Var("again", "int32"), tirx.Var("turn", "int32")
    count, begin, counting = _counted(order, [turn])
    shared = tirx.For(turn, 0, turns, tirx.ForKind.PARALLEL, counting)
    nest = tirx.For(again, 0, 2, tirx.ForKind.SERIAL, shared)
    return PrimFunc([order], tirx.SeqStmt([tirx.AllocBuffer(count), begin, nest]))


def _counted(order: Any, place: list[Any]) -> tuple[Any, Any, Any]:
    """A count, what begins it, and what adds one and writes it to a place of `order`."""
    count = tirx.decl_buffer((1,), "int32", name="count", scope="local")
    begin = tirx.BufferStore(count, tirx.IntImm("int32", 0), [0])
    one_more = tirx.BufferStore(count, tirx.BufferLoad(count, [0]) + 1, [0])
    seen = tirx.BufferStore(order, tirx.BufferLoad(count, [0]), place)
    return count, begin, tirx.SeqStmt([one_more, seen])


@pytest.mark.parametrize("cores", [1, 2, 3, 4])
def test_the_lower_half_of_the_cores_goes_down_where_that_is_asked_for(cores: int) -> None:
    strips, tiles = 4, 5
    order = tvm.runtime.tensor(np.zeros((strips, tiles), "int32"))
    of_phases(phases_of(_counting_away(strips, tiles)), range(cores), cores)(order)
    each = -(-strips // cores)
    for strip, own in enumerate(order.numpy().tolist()):
        assert own == list(range(1, tiles + 1))[:: -1 if 2 * (strip // each) + 1 < cores else 1]


# Rows, width, a tile's rows and columns, and whether there is what it updates.
@pytest.mark.parametrize(
    ("extents", "updates", "away"),
    [
        ((4, 16, 2, 4), True, True),
        ((4, 16, 2, 4), False, False),
        ((4, 16, 2, 3), True, False),
        ((4, 8, 1, 4), True, False),
        ((5, 16, 2, 4), True, False),
    ],
    ids=str,
)
def test_what_is_updated_in_equal_tiles_is_left_from_the_middle(
    extents: tuple[int, int, int, int], updates: bool, away: bool
) -> None:
    rows, width, strip_rows, columns = extents
    source, target = (Frame(1, rows, width, channels) for channels in (16, 32))
    work = Pointwise(source, target, 2, 8, 16, AVX2.lanes, residual=target if updates else None)
    kernel = layers.alone(work)
    function = scheduled(kernel, [Tile(strip_rows, columns, 1)], "strips")
    assert (AWAY in str(function)) == away
    arguments = arguments_of(kernel)
    expected = run(program(kernel), kernel, arguments)
    for cores in (1, 2, 3):
        made = one_core_after_the_other(function, range(cores), cores)
        assert_same(called(made, kernel, arguments), expected)


def _counting_away(strips: int, tiles: int) -> PrimFunc:
    """Which tile of a strip is its how-manieth."""
    order = tirx.decl_buffer((strips, tiles), "int32", name="order")
    strip, tile = tirx.Var("strip", "int32"), tirx.Var("tile", "int32")
    count, begin, counting = _counted(order, [strip, tile])
    inner = tirx.For(tile, 0, tiles, tirx.ForKind.SERIAL, counting, annotations={AWAY: 1})
    nest = tirx.For(strip, 0, strips, tirx.ForKind.PARALLEL, tirx.SeqStmt([begin, inner]))
    return PrimFunc([order], tirx.SeqStmt([tirx.AllocBuffer(count), nest]))


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


def test_cores_see_what_others_wrote_before_they_waited() -> None:
    """Also where both have one CPU, so that each look is in vain until the other has its turn."""
    command = [sys.executable, "-m", "tests.schedules.waits"]
    environment = os.environ | {"TVM_NUM_THREADS": "2"}
    done = subprocess.run(command, check=True, env=environment, cwd=ROOT, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    assert found.pop("flags") == (platform.machine() == "x86_64")
    assert found == {"apart": 0, "more than flags": 0, "on one": 0}


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
    later = [made.parameters[0].data, *[tirx.IntImm("int32", 0)] * 2]
    places = [*(tensor.data for tensor in (*made.parameters, *held)), *later]
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
