"""Running a network as one parallel region instead of one for each kernel.

    a = call_tir(kernel0, image, weight0)            result, memory =
    b = call_tir(kernel1, a, weight1)        ->          call_tir(network, image, weight0, weight1)
    result = reshape(b)

Between two kernels the cores wait for each other, which is all that is left of going from one to
the next: no launch, no call by the virtual machine, no tensor made. Measured with two threads on a
Xeon of AVX-512, ShuffleNet 1.0x in 3 groups takes 2 % less, and 0.5x 4 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tvm import IRModule, relax, tirx
from tvm.ir import Constant, GlobalVar
from tvm.tirx import PrimFunc

from pipeline.passes.plan_memory import Held, planned
from schedules.cpu.phases import Phases, bytes_of, in_region, phases_of, region

MAIN, NETWORK = "main", "network"
IN_PLACE = "relax.call_tir_inplace"
CALLS = ("relax.call_tir", IN_PLACE)


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
    """The module with every scheduled function calling its phases in a region of its own."""
    functions: dict[GlobalVar, Any] = dict(module.functions_items())
    for name, one in _phased(module).items():
        own = in_region(one.phases, one.names)
        functions[name] = own.with_attr("global_symbol", name.name_hint)
        functions |= one.functions
    return IRModule(functions, attrs=module.attrs, global_infos=module.global_infos)


@dataclass
class _Calls:
    """The calls of a network: what each takes as tensors, by number, and what these are."""

    calls: list[tuple[GlobalVar, list[int]]] = field(default_factory=list)
    types: list[Any] = field(default_factory=list)
    constants: dict[int, Constant] = field(default_factory=dict)

    def new(self, form: Any) -> int:
        """The number of another tensor."""
        self.types.append(form)
        return len(self.types) - 1


def in_one_region(module: IRModule) -> IRModule:
    """The module whose "main" runs all scheduled functions that it calls in one region.

    ValueError if "main" is anything but such calls, and a reshape of their result.
    """
    kernels, main = _phased(module), module[MAIN]
    calls, results = _read(main)
    network, size = _network(kernels, calls, results)
    types = [calls.types[number] for number in results]
    types += [relax.TensorType((size,), "uint8")] if size else []
    builder = relax.BlockBuilder()
    image = relax.Var(main.params[0].name, main.params[0].ty)
    with builder.function(MAIN, [image]):
        with builder.dataflow():
            name = builder.add_func(network.with_attr("global_symbol", NETWORK), NETWORK)
            arguments = [image, *calls.constants.values()]
            made = builder.emit(relax.call_tir(name, arguments, types if types[1:] else types[0]))
            parts = [
                builder.emit(relax.TupleGetItem(made, number)) if types[1:] else made
                for number in range(len(results))
            ]
            output = builder.emit_output(relax.Tuple(parts) if parts[1:] else parts[0])
        builder.emit_func_output(output)
    functions = dict(builder.finalize().functions_items())
    for one in kernels.values():
        functions |= one.functions
    return IRModule(functions, global_infos=module.global_infos)


def _read(main: relax.Function) -> tuple[_Calls, list[int]]:
    """The calls of a network, and the numbers of its results. The image is tensor 0."""
    read = _Calls()
    numbers: dict[Any, list[int]] = {main.params[0]: [read.new(main.params[0].ty)]}

    def of(value: Any) -> int:
        if isinstance(value, Constant):
            for number, known in read.constants.items():
                if known.same_as(value):
                    return number
            number = read.new(value.ty)
            read.constants[number] = value
            return number
        return numbers[value][0]

    for block in main.body.blocks:
        for binding in block.bindings:
            numbers[binding.var] = _made(read, binding.value, numbers, of)
    return read, numbers[main.body.body]


def _made(read: _Calls, value: Any, numbers: Mapping[Any, list[int]], of: Any) -> list[int]:
    """The tensors that a binding stands for."""
    if isinstance(value, relax.Var):
        return numbers[value]
    if isinstance(value, relax.Tuple):
        return [of(one) for one in value.fields]
    if isinstance(value, relax.TupleGetItem):
        return [numbers[value.tuple_value][value.index]]
    operator = getattr(value.op, "name", None)
    if operator == "relax.reshape":
        (number,) = numbers[value.args[0]]
        read.types[number] = relax.TensorType(value.ty.shape, value.ty.dtype)
        return [number]
    if operator not in CALLS:
        raise ValueError(f"{operator} is no call of a kernel")
    name, arguments = value.args
    taken = [of(one) for one in arguments.fields]
    forms = value.ty_args[0]
    forms = list(forms.fields) if isinstance(forms, relax.TupleType) else [forms]
    places = (
        [int(one) for one in value.attrs.inplace_indices]
        if operator == IN_PLACE
        else [-1] * len(forms)
    )
    written = [
        read.new(form) if place < 0 else taken[place]
        for form, place in zip(forms, places, strict=True)
    ]
    fresh = [number for number, place in zip(written, places, strict=True) if place < 0]
    read.calls.append((name, [*taken, *fresh]))
    return written


def _network(
    kernels: Mapping[GlobalVar, _Phased], calls: _Calls, results: list[int]
) -> tuple[PrimFunc, int]:
    """The function of the image, constants, results and memory, and how many bytes that is."""
    outside = [0, *calls.constants, *results]
    buffers = {number: _buffer(f"t{number}", calls.types[number]) for number in outside}
    held: dict[int, Held] = {}
    scratch: list[list[Held]] = []
    for at, (name, tensors) in enumerate(calls.calls):
        for number in tensors:
            if number not in buffers:
                first = held[number].first if number in held else at
                held[number] = Held(bytes_of(calls.types[number]), first, at)
        scratch.append([Held(bytes_of(one), at, at) for one in kernels[name].phases.scratch])
    flat = [one for own in scratch for one in own]
    offsets, size = planned(list(held.values()), flat)
    at_of = dict(zip(held, offsets[: len(held)], strict=True))
    own_offsets = iter(offsets[len(held) :])
    memory = tirx.decl_buffer((size,), "uint8", name="memory") if size else None

    def inside(offset: int) -> Any:
        return tirx.address_of(tirx.BufferLoad(memory, [offset]))

    made_calls = []
    for (name, tensors), own in zip(calls.calls, scratch, strict=True):
        places = [
            buffers[number].data if number in buffers else inside(at_of[number])
            for number in tensors
        ]
        places += [inside(next(own_offsets)) for _ in own]
        kernel = kernels[name]
        for phase, symbol in zip(kernel.phases.phases, kernel.names, strict=True):
            made_calls.append((symbol, [places[number] for number in phase.tensors]))
    parameters = [buffers[number] for number in outside]
    parameters += [] if memory is None else [memory]
    return PrimFunc(parameters, region(made_calls)).with_attr("s_tir", True), size


def _buffer(name: str, form: Any) -> Any:
    return tirx.decl_buffer([int(extent) for extent in form.shape], str(form.dtype), name=name)
