"""A scheduled function as phases: in each, every core does its share and waits for the others.

    for strip in parallel: stage(strip)           phase(core, cores):
    for tile in parallel: next(tile)      ->          for strip in the core's share: stage(strip)
                                                  phase(core, cores):
                                                      for tile in the core's share: next(tile)

A phase is a function of its own, which takes the places of its tensors. Whoever calls phases does
so on all cores at once, as one parallel region: a function of its own, or a network all of whose
kernels are in one region then. What runs on one core is a phase of the first. How many cores there
are is known when it runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import tvm_ffi
from tvm import DataType, s_tir, tirx
from tvm.ir import Call, GlobalVar, PointerType, PrimType
from tvm.tirx import PrimFunc

from schedules.cpu.strips import nests_of
from schedules.machine import LINE

# Bytes. Of less the compiler takes memory from the stack, where tensors do not begin with a line.
PAGE = 4096
# Cores that a region tells from each other; of more, some are idle.
MOST = 64
# The attribute of a phase; of no other function are loops dealt out by its last two parameters.
PHASE = "phase"
# TVM hands such a function its arguments as they are.
AS_THEY_ARE = {"calling_conv": -1, PHASE: True, "s_tir": True}


@dataclass(frozen=True)
class Phase:
    """A function of the places of some tensors, the core, and the number of cores."""

    function: PrimFunc
    tensors: tuple[int, ...]


@dataclass(frozen=True)
class Phases:
    """What a function is in phases, which name their tensors by number: its parameters first, then
    `scratch`, which nobody outside reads."""

    parameters: tuple[Any, ...]
    scratch: tuple[Any, ...]
    phases: tuple[Phase, ...]


def phases_of(function: PrimFunc) -> Phases:
    """The phases of a scheduled function, each a nest of its root block, or all that it does.

    If the function promises that its tensors lie apart, so do they.
    """
    root = isinstance(function.body, s_tir.SBlockRealize)
    buffers = list(function.body.block.alloc_buffers) if root else []
    scratch = tuple(buffer for buffer in buffers if buffer.scope() != "local")
    local = [buffer for buffer in buffers if buffer.scope() == "local"]
    tensors = (*function.params, *scratch)
    nests = nests_of([function]) if root else [function.body]
    lie_apart = bool(function.attrs and function.attrs.get("tirx.noalias"))
    phases = tuple(_phase(nest, tensors, local, lie_apart) for nest in nests)
    return Phases(tuple(function.params), scratch, phases)


def is_parallel(function: PrimFunc) -> bool:
    """Whether any loop of a function is one of all cores."""
    found: list[bool] = []

    def look(loop: Any) -> None:
        found.append(loop.kind == tirx.ForKind.PARALLEL)

    tvm_ffi.structural_walk(function.body, (tirx.For, look), order="post")
    return any(found)


def _phase(nest: Any, tensors: Sequence[Any], local: Sequence[Any], lie_apart: bool) -> Phase:
    """The code generator takes accesses to different places for accesses to different values, and
    of what it knows by any other expression supposes nothing."""
    found: set[Any] = set()
    tvm_ffi.structural_walk(nest, (tirx.Var, found.add), order="post")
    taken = [number for number, tensor in enumerate(tensors) if tensor in found]
    places = [_place(tensors[number]) for number in taken]
    block = s_tir.SBlock(
        [], [], [], "root", nest, alloc_buffers=[one for one in local if one in found]
    )
    held = [tensors[number] for number in taken]
    declared = [
        tirx.DeclBuffer(tensor, data=place if lie_apart else tirx.reinterpret(place.ty, place))
        for tensor, place in zip(held, places, strict=True)
    ]
    cores = [tirx.Var(name, "int32") for name in ("core", "cores")]
    body: Any = s_tir.SBlockRealize([], True, block)
    for known in places if lie_apart else held:
        body = tirx.AttrStmt(known, "storage_alignment", tirx.IntImm("int32", LINE), body)
    body = tirx.SeqStmt([*declared, body])
    function = PrimFunc([*places, *cores], body)
    for name, value in AS_THEY_ARE.items():
        function = function.with_attr(name, value)
    return Phase(function, tuple(taken))


def _place(tensor: Any) -> Any:
    return tirx.Var(f"{tensor.name}_place", PointerType(PrimType(tensor.dtype)))


def region(calls: Sequence[tuple[GlobalVar, Sequence[Any]]], *before: Any) -> Any:
    """The statements that call phases, each with the places of its tensors, on all cores."""
    cores = tirx.Var("cores", "int32")
    who = tirx.decl_buffer((MOST,), "uint64", name="who")
    seen = tirx.decl_buffer((MOST,), "int32", name="seen")
    turn, turn_of = tirx.Var("turn", "int32"), tirx.Var("turn_of", "int32")
    tell = tirx.BufferStore(who, tirx.call_extern("uint64", "pthread_self"), [turn])
    told = tirx.For(turn, 0, MOST, tirx.ForKind.PARALLEL, tell)
    # All cores write the same numbers to the same places.
    before_one = tirx.BufferLoad(seen, [turn_of - 1])
    new = tirx.NE(tirx.BufferLoad(who, [turn_of]), tirx.BufferLoad(who, [turn_of - 1]))
    sums = tirx.For(
        turn_of, 1, MOST - 1, tirx.ForKind.SERIAL,
        tirx.BufferStore(seen, before_one + tirx.Cast("int32", new), [turn_of]),
    )  # fmt: skip
    count = tirx.BufferLoad(seen, [MOST - 1])
    every = [_on_every_core(*call, cores) for call in calls]
    first = tirx.BufferStore(seen, tirx.IntImm("int32", 1), [0])
    known = [_pragma("parallel_barrier_when_finish", told), first, sums, tirx.Bind(cores, count)]
    body = tirx.SeqStmt([*known, *every])
    return tirx.SeqStmt(
        [
            *before,
            tirx.AllocBuffer(who),
            tirx.AllocBuffer(seen),
            _pragma("parallel_launch_point", body),
        ]
    )


def _on_every_core(phase: GlobalVar, places: Sequence[Any], cores: Any) -> Any:
    core = tirx.Var("core", "int32")
    call = tirx.Evaluate(Call(phase, [*places, core, cores], ret_ty="int32"))
    loop = tirx.For(core, 0, cores, tirx.ForKind.PARALLEL, call)
    return _pragma("parallel_barrier_when_finish", loop)


def _pragma(name: str, body: Any) -> Any:
    return tirx.AttrStmt(tirx.IntImm("int32", 0), f"pragma_{name}", tirx.IntImm("int32", 1), body)


def in_region(made: Phases, names: Sequence[GlobalVar]) -> PrimFunc:
    """The function that calls its phases, of those names, in a region of its own."""
    held = [
        tirx.decl_buffer((rounded(bytes_of(tensor)),), "uint8", name=tensor.name)
        for tensor in made.scratch
    ]
    places = [tensor.data for tensor in (*made.parameters, *held)]
    calls = [
        (name, [places[number] for number in phase.tensors])
        for name, phase in zip(names, made.phases, strict=True)
    ]
    taken = [tirx.AllocBuffer(tensor) for tensor in held]
    return PrimFunc(list(made.parameters), region(calls, *taken)).with_attr("s_tir", True)


def bytes_of(tensor: Any) -> int:
    """The size of a buffer or of a type of tensors."""
    element = DataType(str(tensor.dtype))
    bits = prod(int(extent) for extent in tensor.shape) * int(element.lanes * element.bits)
    return bits // 8


def rounded(size: int) -> int:
    """What a tensor takes of a piece of memory, where each begins with a page."""
    return ceil(size / PAGE) * PAGE


def dealt(function: PrimFunc) -> PrimFunc:
    """A lowered phase whose parallel loop has become the core's share of it.

    A phase without one is of the first core. Any other function is as it was.
    """
    if not function.attrs or PHASE not in function.attrs:
        return function
    core, cores = list(function.params)[-2:]
    body, found = _shared(function.body, core, cores)
    return function.with_body(body if found else tirx.IfThenElse(core.equal(0), body, None))


def _shared(stmt: Any, core: Any, cores: Any) -> tuple[Any, bool]:
    """The statement with its parallel loop dealt out, and whether there was one."""
    if isinstance(stmt, tirx.For) and stmt.kind == tirx.ForKind.PARALLEL:
        each = tirx.truncdiv(stmt.extent + cores - 1, cores)
        first = tirx.Min(core * each, stmt.extent)
        share = tirx.Min(first + each, stmt.extent) - first
        serial = tirx.ForKind.SERIAL
        return tirx.For(stmt.loop_var, first, share, serial, stmt.body), True
    if isinstance(stmt, tirx.SeqStmt):
        parts = [_shared(part, core, cores) for part in stmt.seq]
        return tirx.SeqStmt([part for part, _ in parts]), any(found for _, found in parts)
    if isinstance(stmt, tirx.For):
        body, found = _shared(stmt.body, core, cores)
        return tirx.For(
            stmt.loop_var, stmt.min, stmt.extent, stmt.kind, body,
            stmt.thread_binding, stmt.annotations, stmt.step,
        ), found  # fmt: skip
    if isinstance(stmt, tirx.AttrStmt):
        body, found = _shared(stmt.body, core, cores)
        return tirx.AttrStmt(stmt.node, stmt.attr_key, stmt.value, body), found
    if isinstance(stmt, tirx.IfThenElse) and stmt.else_case is None:
        body, found = _shared(stmt.then_case, core, cores)
        return tirx.IfThenElse(stmt.condition, body, None), found
    return stmt, False
