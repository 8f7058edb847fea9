"""TVM's own lowering, except that the sums of a tile live on the stack until they are registers,
and that the loops of phases are dealt out.

TVM takes memory for a buffer of a function from its runtime, unless it is global and small. What
comes from outside has to hold the last sums in the end, so LLVM carries them in registers past the
loop that made them, and the loop over the last, narrower tile finds none left. On the stack nobody
reads them afterwards, and they become registers of their loop alone.
"""

from collections.abc import Callable
from typing import Any

import tvm
from tvm import tirx
from tvm.tirx.compilation_pipeline import get_tir_pipeline, register_tir_pipeline
from tvm_ffi import structural_map

from schedules.cpu.dealing import dealt

NAME = "shufflenet-tvm"
# An allocation with this annotation is left to the code generator, which takes it from the stack.
LEFT = "disable_lower_builtin"


def lowering() -> str:
    """The name of the lowering, under which TVM's builders know it from then on."""
    register_tir_pipeline(NAME, _passes)
    return NAME


def _passes() -> tuple[Any, Callable[[], Any], Callable[[], Any]]:
    """TVM's passes, those that end the host's functions, and those that end a device's."""
    lower, end_host, end_device = get_tir_pipeline("default")

    def end() -> Any:
        return tvm.transform.Sequential([deal_out(), keep_on_stack(), end_host()])

    return lower, end, end_device


def deal_out() -> Any:
    """The pass that leaves to each core its share of a phase."""

    def transform(module: Any, _context: Any) -> Any:
        functions: dict[Any, Any] = {}
        for name, function in module.functions_items():
            is_loops = isinstance(function, tirx.PrimFunc)
            functions |= dealt(name, function) if is_loops else {name: function}
        return tvm.IRModule(functions, attrs=module.attrs, global_infos=module.global_infos)

    return tvm.transform.module_pass(transform, opt_level=0, name="DealOut")


def keep_on_stack() -> Any:
    """The pass that leaves every buffer of scope "local" to the code generator."""

    def transform(function: Any, _module: Any, _context: Any) -> Any:
        return function.with_body(structural_map(function.body, (tirx.AllocBuffer, _marked)))

    return tirx.transform.prim_func_pass(transform, opt_level=0, name="KeepOnStack")


def _marked(allocated: Any) -> Any:
    """An allocation, left to the code generator if it is local."""
    if allocated.buffer.scope() != "local":
        return allocated
    left = {LEFT: tirx.IntImm("int32", 1)}
    return tirx.AllocBuffer(allocated.buffer, {**allocated.annotations, **left})
