"""How a scheduled function becomes machine code; needs TVM's compiler and nothing of the models."""

from pathlib import Path

import tvm
from tvm.tirx import PrimFunc

from pipeline.linker import object_linker_for
from pipeline.targets import Target

# The schedules ask for narrower last tiles, which the compiler makes only under this option.
OPTIONS = {"s_tir.LoopPartition": {"partition_const_loop": True}}


# Without schedules all buffers are global, and the compiler refuses its own idea to keep vectors
# and scalars in the same memory.
UNSCHEDULED = {"tirx.disable_storage_rewrite": True}
UNCHECKED = {"tirx.disable_assert": True}


def compiling() -> tvm.transform.PassContext:
    """The context in which scheduled functions are compiled."""
    return tvm.transform.PassContext(opt_level=3, config=OPTIONS)


def export_function(function: PrimFunc, target: Target, path: Path) -> None:
    """Compile a function into a library; RequestError if nothing links for the target.

    It does not check its arguments, as that is half of what there is to compile; the kernel is the
    same.
    """
    with tvm.transform.PassContext(opt_level=3, config=OPTIONS | UNCHECKED):
        _export(function, target, path)


def export_unscheduled(function: PrimFunc, target: Target, path: Path) -> None:
    """The same for what scheduled functions are compared with."""
    with tvm.transform.PassContext(opt_level=3, config=UNSCHEDULED | UNCHECKED):
        _export(function, target, path)


def _export(function: PrimFunc, target: Target, path: Path) -> None:
    module = tvm.compile(function, target=target.tvm).mod
    code = path.with_suffix(".o")
    try:
        module.write_to_file(str(code), "o")
        object_linker_for(target).link(path, [str(code)])
    finally:
        code.unlink(missing_ok=True)
