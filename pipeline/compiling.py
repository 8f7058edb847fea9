"""How a scheduled function becomes machine code; needs TVM's compiler and nothing of the models."""

from pathlib import Path
from typing import Any

import tvm
from tvm import IRModule, relax
from tvm.tirx import PrimFunc

from pipeline.linker import object_linker_for
from pipeline.lowering import lowering
from pipeline.passes.one_region import in_one_region, in_regions
from pipeline.passes.plan_fetches import most_ahead
from pipeline.targets import Target
from schedules.cpu.prefetch import without_fetches

# The schedules ask for narrower last tiles, which the compiler makes only under this option.
OPTIONS = {"s_tir.LoopPartition": {"partition_const_loop": True}}


# Without schedules all buffers are global, and the compiler refuses its own idea to keep vectors
# and scalars in the same memory.
UNSCHEDULED = {"tirx.disable_storage_rewrite": True}
UNCHECKED = {"tirx.disable_assert": True}


def compiling(dtype: str = "float32") -> tvm.transform.PassContext:
    """The context in which scheduled functions are compiled.

    In float16 each buffer has memory of its own: sums are float32, and tensor cores are handed
    places in memory that must be of one type.
    """
    return _options(OPTIONS if dtype == "float32" else OPTIONS | UNSCHEDULED)


def compile_function(function: PrimFunc, target: Target) -> Any:
    """A scheduled function as machine code.

    It does not check its arguments, which is half of what there is to compile; the kernel is the
    same.
    """
    with _options(OPTIONS | UNCHECKED):
        return _compiled(function, target)


def compile_network(module: IRModule, target: Target, apart: bool = False) -> Any:
    """A Relax module of scheduled functions as an executable.

    Its "main" is one parallel region; with `apart` every kernel is one of its own. Functions check
    no arguments: the virtual machine checks shape and type of the image, and the runtime that it is
    in one piece which begins with a line.
    """
    held = {
        name: _suited(function, target) if isinstance(function, PrimFunc) else function
        for name, function in module.functions_items()
    }
    module = IRModule(held, attrs=module.attrs, global_infos=module.global_infos)
    # Not measured elsewhere.
    huge_pages = target.architecture == "x86_64"
    ahead = most_ahead(target.machine)
    module = in_regions(module) if apart else in_one_region(module, huge_pages, ahead)
    with _options(OPTIONS | UNCHECKED):
        return relax.build(
            module, target.tvm, relax_pipeline=calls_alone(), tir_pipeline=lowering()
        )


def calls_alone() -> Any:
    """The pass from a network of calls to the runtime's instructions, no more than there must be.

    TVM's own also makes a tuple of what every kernel writes, which nothing reads, and forgets every
    tensor after its last use, which frees nothing where all memory is planned beforehand. Measured
    with ShuffleNet 1.0x in 3 groups on AVX-512, these take 0.3 % of an inference with one thread
    and 0.4 to 0.9 % with two.
    """
    change = relax.transform
    return tvm.transform.Sequential(
        [
            change.LegalizeOps(),
            change.ToNonDataflow(),
            change.RemovePurityChecking(),
            change.CallTIRRewrite(),
            change.CanonicalizeBindings(),
            change.DeadCodeElimination(),
            change.StaticPlanBlockMemory(),
            change.LowerAllocTensor(),
            change.LowerRuntimeBuiltin(),
            change.ComputePrimValue(),
            change.VMShapeLower(),
            change.AttachGlobalSymbol(),
        ]
    )


def export_function(function: PrimFunc, target: Target, path: Path) -> None:
    """Compile a function into a library; RequestError if nothing links for the target."""
    _export(compile_function(function, target), target, path)


def export_unscheduled(function: PrimFunc, target: Target, path: Path) -> None:
    """The same for what scheduled functions are compared with."""
    with _options(UNSCHEDULED | UNCHECKED):
        _export(tvm.compile(function, target=target.tvm), target, path)


def _suited(function: PrimFunc, target: Target) -> PrimFunc:
    """The function as it suits a CPU that takes no operands from memory, as ARM's.

    It fetches nothing ahead, whose addresses take registers; what it gains there nobody has
    measured. And it makes no promise that tensors lie apart: by that the compiler loads weights
    before a loop over tiles that all need them, into registers, which its sums then lack.
    """
    if target.machine.memory_operands:
        return function
    return without_fetches(function).without_attr("tirx.noalias")


def _options(options: dict[str, Any]) -> tvm.transform.PassContext:
    return tvm.transform.PassContext(opt_level=3, config=options)


def _compiled(function: PrimFunc, target: Target) -> Any:
    symbol = function.attrs["global_symbol"]
    module = in_regions(IRModule({symbol: _suited(function, target)}))
    return tvm.compile(module, target=target.tvm, tir_pipeline=lowering())


def _export(library: Any, target: Target, path: Path) -> None:
    code = path.with_suffix(".o")
    try:
        library.mod.write_to_file(str(code), "o")
        object_linker_for(target).link(path, [str(code)])
    finally:
        code.unlink(missing_ok=True)
