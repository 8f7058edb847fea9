"""A network that looks at the clock between its kernels, which are one parallel region.

    stamps[0] = clock
    kernel 0
    stamps[1] = clock
    ...
    return result, stamps

The clock is clock_gettime of the C library, so that the times are the device's own.
"""

from dataclasses import dataclass
from typing import Any

from tvm import relax
from tvm.script.ir_builder import tirx as T
from tvm.tirx import PrimFunc

from pipeline.build import Lowered, emitted
from pipeline.compiling import compile_network
from pipeline.passes.emit_calls import Hooks
from pipeline.profiling.moments import SECONDS
from pipeline.targets import Target
from schedules.cpu.kernel import Kernel
from schedules.program import prim_func, tensor

# That of Linux, which is not set while it runs.
MONOTONIC = 1


class Stamps:
    """The times between `calls` kernel calls, [calls + 1, 2] integers of `bits` bits."""

    def __init__(self, calls: int, bits: int) -> None:
        self.shape, self.dtype = (calls + 1, 2), f"int{bits}"
        self.taken: list[relax.Expr] = []

    @property
    def hooks(self) -> Hooks:
        """What takes them."""
        return Hooks(between=self._take, beside=lambda: self.taken[-1:])

    def _take(self, builder: relax.BlockBuilder) -> None:
        number, kind = len(self.taken), relax.TensorType(self.shape, self.dtype)
        name = f"stamp{number}"
        look = builder.add_func(self._look(number).with_attr("global_symbol", name), name)
        if self.taken:
            made = relax.op.call_tir_inplace(look, [self.taken[-1]], [0], kind)
        else:
            made = relax.call_tir(look, [], kind)
        self.taken.append(builder.emit(made))

    def _look(self, number: int) -> PrimFunc:
        with prim_func("stamp") as made:
            stamps = tensor("stamps", self.shape, self.dtype)
            place = T.address_of(stamps[number, SECONDS])
            T.evaluate(T.call_extern("int32", "clock_gettime", MONOTONIC, place))
        return made.get()


@dataclass(frozen=True)
class Stamped:
    """The executable of a network that returns its result and its stamps, and the functions that it
    calls between them."""

    executable: Any
    calls: list[str]


def stamped(lowered: Lowered, functions: dict[Kernel, PrimFunc], target: Target) -> Stamped:
    """A network with stamps, of the scheduled functions of its kernels."""
    stamps = Stamps(len(lowered.calls), 32 if target.architecture.startswith("arm") else 64)
    module, names = emitted(lowered, functions, stamps.hooks)
    calls = [names[call.kernel] for call in lowered.calls]
    return Stamped(compile_network(module, target), calls)
