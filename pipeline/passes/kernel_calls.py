"""Reading which tensors the calls of a network take and write."""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from tvm import relax
from tvm.ir import Constant, GlobalVar

from pipeline.passes.plan_memory import Held
from schedules.cpu.phases import bytes_of

IN_PLACE = "relax.call_tir_inplace"
CALLS = ("relax.call_tir", IN_PLACE)


@dataclass
class KernelCalls:
    """The calls of a network in order, which name tensors by number; the image is tensor 0.

    Each call is a function and what its parameters are. `types` are those of all tensors, and of
    some the value is constant.
    """

    calls: list[tuple[GlobalVar, list[int]]] = field(default_factory=list)
    types: list[Any] = field(default_factory=list)
    constants: dict[int, Constant] = field(default_factory=dict)
    results: list[int] = field(default_factory=list)

    def held(self, outside: Container[int]) -> dict[int, Held]:
        """All tensors but those `outside`, with the calls that they have to be there for."""
        found: dict[int, Held] = {}
        for at, (_, tensors) in enumerate(self.calls):
            for number in tensors:
                if number not in outside:
                    first = found[number].first if number in found else at
                    found[number] = Held(bytes_of(self.types[number]), first, at)
        return found


def read_calls(main: relax.Function) -> KernelCalls:
    """The calls of a function that is nothing else but for tuples and reshapes.

    ValueError names any other operator.
    """
    read = KernelCalls()
    numbers: dict[Any, list[int]] = {main.params[0]: [_new(read, main.params[0].ty)]}
    for block in main.body.blocks:
        for binding in block.bindings:
            numbers[binding.var] = _made(read, binding.value, numbers)
    read.results = numbers[main.body.body]
    return read


def _new(read: KernelCalls, form: Any) -> int:
    """The number of another tensor."""
    read.types.append(form)
    return len(read.types) - 1


def _number(read: KernelCalls, value: Any, numbers: dict[Any, list[int]]) -> int:
    """The tensor that a value is; a constant is the same wherever it is the same object."""
    if not isinstance(value, Constant):
        return numbers[value][0]
    for number, known in read.constants.items():
        if known.same_as(value):
            return number
    number = _new(read, value.ty)
    read.constants[number] = value
    return number


def _made(read: KernelCalls, value: Any, numbers: dict[Any, list[int]]) -> list[int]:
    """The tensors that a binding stands for."""
    if isinstance(value, relax.Var):
        return numbers[value]
    if isinstance(value, relax.Tuple):
        return [_number(read, one, numbers) for one in value.fields]
    if isinstance(value, relax.TupleGetItem):
        return [numbers[value.tuple_value][value.index]]
    operator = getattr(value.op, "name", None)
    if operator in CALLS:
        return _called(read, value, numbers)
    if operator != "relax.reshape":
        raise ValueError(f"{operator} is no call of a kernel")
    (number,) = numbers[value.args[0]]
    read.types[number] = value.ty
    return [number]


def _called(read: KernelCalls, value: Any, numbers: dict[Any, list[int]]) -> list[int]:
    """The tensors that a call writes: new ones, or in place of some that it takes."""
    name, arguments = value.args
    taken = [_number(read, one, numbers) for one in arguments.fields]
    (form,) = value.ty_args
    forms = list(form.fields) if isinstance(form, relax.TupleType) else [form]
    places = [-1] * len(forms)
    if value.op.name == IN_PLACE:
        places = [int(one) for one in value.attrs.inplace_indices]
    written = [
        _new(read, form) if place < 0 else taken[place]
        for form, place in zip(forms, places, strict=True)
    ]
    new = [number for number, place in zip(written, places, strict=True) if place < 0]
    read.calls.append((name, [*taken, *new]))
    return written
