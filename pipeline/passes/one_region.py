"""Running a network as one parallel region instead of one for each kernel.

    a = call_tir(kernel0, image, weight0)            result, memory =
    b = call_tir(kernel1, a, weight1)        ->          call_tir(network, image, constants)
    result = reshape(b)

Between two kernels the cores wait for each other, which is all that is left of going from one to
the next: no launch, no call by the virtual machine, no tensor made. Measured with two threads on a
Xeon of AVX-512, in turns, that takes 3.5 % off ShuffleNet 1.0x in 3 groups, and 6 % off 0.5x.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tvm import IRModule, relax, tirx
from tvm.ir import GlobalVar
from tvm.tirx import PrimFunc

from pipeline.passes.kernel_calls import KernelCalls, read_calls
from pipeline.passes.pack_constants import Placed, packed, placed
from pipeline.passes.plan_fetches import Fetcher, fetches, halves
from pipeline.passes.plan_memory import Held, planned
from schedules.cpu.dealing import is_parallel
from schedules.cpu.huge_pages import FEWEST_BYTES, asking_once
from schedules.cpu.phases import Phases, bytes_of, in_region, phases_of, region
from schedules.cpu.prefetch_later import fetching_later, room

MAIN, NETWORK = "main", "network"


@dataclass(frozen=True)
class _Phased:
    """A function in phases, and the names that these have in a module."""

    phases: Phases
    names: list[GlobalVar]

    @property
    def functions(self) -> dict[GlobalVar, PrimFunc]:
        """The phases by name."""
        return {
            name: phase.function.with_attr("global_symbol", name.name_hint)
            for name, phase in zip(self.names, self.phases.phases, strict=True)
        }


def _phased(module: IRModule) -> dict[GlobalVar, _Phased]:
    """Every scheduled function of a module in phases."""
    found = {}
    for name, function in module.functions_items():
        if isinstance(function, PrimFunc):
            made = phases_of(function)
            count = len(made.phases)
            names = [GlobalVar(f"{name.name_hint}_phase{number}") for number in range(count)]
            found[name] = _Phased(made, names)
    return found


def in_regions(module: IRModule) -> IRModule:
    """The module with every scheduled function calling its phases in a region of its own.

    What runs on one core stays as it is, without phases.
    """
    functions: dict[GlobalVar, Any] = dict(module.functions_items())
    parallel = {
        name: function
        for name, function in functions.items()
        if isinstance(function, PrimFunc) and is_parallel(function)
    }
    for name, one in _phased(IRModule(parallel)).items():
        own = in_region(one.phases, one.names)
        functions[name] = own.with_attr("global_symbol", name.name_hint)
        functions |= one.functions
    return IRModule(functions, attrs=module.attrs, global_infos=module.global_infos)


def in_one_region(module: IRModule, huge_pages: bool = False, ahead: int | None = None) -> IRModule:
    """The module whose "main" runs all scheduled functions that it calls in one region, and asks
    for `huge_pages` before that. Constants are fetched at most so many bytes `ahead`.

    ValueError if "main" is anything but such calls, and a reshape of their result.
    """
    main = module[MAIN]
    read = read_calls(main)
    where = placed(read, huge_pages)
    kernels, fetched = _fetching(_phased(module), read, where, ahead)
    network, size = _network(kernels, read, where, fetched, huge_pages)
    types = [read.types[number] for number in read.results]
    types += [relax.TensorType((size,), "uint8")] if size else []
    builder = relax.BlockBuilder()
    image = relax.Var(main.params[0].name, main.params[0].ty)
    with builder.function(MAIN, [image]):
        with builder.dataflow():
            name = builder.add_func(network.with_attr("global_symbol", NETWORK), NETWORK)
            arguments = [image, relax.const(packed(read, where))]
            made = builder.emit(relax.call_tir(name, arguments, types if types[1:] else types[0]))
            parts = [
                builder.emit(relax.TupleGetItem(made, number)) if types[1:] else made
                for number in range(len(read.results))
            ]
            output = builder.emit_output(relax.Tuple(parts) if parts[1:] else parts[0])
        builder.emit_func_output(output)
    functions = dict(builder.finalize().functions_items())
    for one in kernels.values():
        functions |= one.functions
    return IRModule(functions, global_infos=module.global_infos)


def _fetching(
    kernels: Mapping[GlobalVar, _Phased], read: KernelCalls, where: Placed, ahead: int | None
) -> tuple[dict[GlobalVar, _Phased], list[tuple[int, int]]]:
    """The functions fetching constants for those after them, and the halves of what each call
    fetches."""
    rooms = {name: room(one.phases) for name, one in kernels.items()}
    calls = [
        Fetcher(name, end, rooms[name])
        for (name, _), end in zip(read.calls, where.ends, strict=True)
    ]
    plan = fetches(calls, ahead)
    made = {
        name: replace(one, phases=fetching_later(one.phases, plan.sizes[name]))
        for name, one in kernels.items()
    }
    starts = [0, *where.ends]
    apart = [
        range(start, end)
        for (name, _), start, end in zip(read.calls, starts, where.ends, strict=False)
        if kernels[name].phases.reads_apart
    ]
    sizes = [plan.sizes[name] for name, _ in read.calls]
    return made, [halves(*call, apart) for call in zip(plan.begins, sizes, strict=True)]


def _network(
    kernels: Mapping[GlobalVar, _Phased],
    read: KernelCalls,
    where: Placed,
    fetched: list[tuple[int, int]],
    huge_pages: bool,
) -> tuple[PrimFunc, int]:
    """The function of the image, constants, results and memory, and how many bytes that is."""
    outside = {number: _buffer(f"t{number}", read.types[number]) for number in (0, *read.results)}
    held = read.held({*outside, *where.offsets})
    own = [
        Held(bytes_of(tensor), at, at)
        for at, (name, _) in enumerate(read.calls)
        for tensor in kernels[name].phases.scratch
    ]
    offsets, size = planned(list(held.values()), own)
    memory = tirx.decl_buffer((size,), "uint8", name="memory")
    constants = tirx.decl_buffer((where.room,), "uint8", name="constants")
    inside = [_at(memory, offset) for offset in offsets]
    places = {number: buffer.data for number, buffer in outside.items()}
    places |= {number: _at(constants, offset) for number, offset in where.offsets.items()}
    places |= dict(zip(held, inside, strict=False))
    scratch = iter(inside[len(held) :])
    calls = []
    for (name, tensors), numbers in zip(read.calls, fetched, strict=True):
        made = kernels[name].phases
        taken = [places[number] for number in tensors]
        taken += [next(scratch) for _ in made.scratch]
        taken += [constants.data, *(tirx.IntImm("int32", number) for number in numbers)]
        for symbol, phase in zip(kernels[name].names, made.phases, strict=True):
            calls.append((symbol, [taken[number] for number in phase.tensors]))
    image, *results = outside.values()
    parameters = [image, constants, *results, *([memory] if size else [])]
    large = [one for one in ((constants, where.bytes), (memory, size)) if one[1] >= FEWEST_BYTES]
    asking = [asking_once((constants, where.bytes), large)] if huge_pages and large else []
    return PrimFunc(parameters, region(calls, *asking)).with_attr("s_tir", True), size


def _at(memory: Any, offset: int) -> Any:
    """A place in a piece of memory."""
    return tirx.address_of(tirx.BufferLoad(memory, [offset]))


def _buffer(name: str, form: Any) -> Any:
    return tirx.decl_buffer([int(extent) for extent in form.shape], str(form.dtype), name=name)
