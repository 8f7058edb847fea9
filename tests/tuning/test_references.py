"""What whole kernels are compared with while they are tuned: their unscheduled programs."""

import re
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import IRModule, relax
from tvm.tirx import PrimFunc

from pipeline.build import apply, lower
from pipeline.compiling import (
    compile_function,
    compile_network,
    export_function,
    export_unscheduled,
)
from pipeline.models import InputSpec, load
from pipeline.targets import Target
from pipeline.tune.arguments import arguments, outputs, updates
from pipeline.tune.worker import check
from schedules.cpu.kernel_function import program
from schedules.cpu.tiles import hand_tile
from tests.tuning.conftest import lowered, pointwise


@pytest.mark.parametrize("name", ["shufflenet-1.0x-g3", "shufflenet-0.25x-g2-se", "mobilenet-0.25"])
def test_every_kernel_computes_what_its_unscheduled_program_computes(
    name: str, target: Target, tmp_path: Path, seed: int
) -> None:
    model = load(name, InputSpec(height=64, width=64))
    for number, kernel in enumerate(lower(model, target).kernels):
        paths = [tmp_path / f"{number}-{kind}.so" for kind in ("reference", "scheduled")]
        export_unscheduled(program(kernel), target, paths[0])
        export_function(apply(kernel, hand_tile(kernel, target.machine)), target, paths[1])
        expected, found = (_run(path, kernel, seed) for path in paths)
        for one, other in zip(found, expected, strict=True):
            check(one, other)


def _run(path: Path, kernel, seed: int) -> list[np.ndarray]:
    inputs = [tvm.runtime.tensor(array) for array in arguments(kernel, seed)]
    filled = [np.full(shape, np.nan, dtype) for shape, dtype in outputs(kernel)]
    written = [tvm.runtime.tensor(array) for array in filled]
    tvm.runtime.load_module(str(path))["main"](*inputs, *written)
    changed = [inputs[at] for at in updates(kernel)]
    return [tensor.numpy() for tensor in (*changed, *written)]


def test_a_candidate_is_the_kernel_that_a_build_makes(target: Target) -> None:
    function = scheduled_layer(target)
    (whole,) = compile_network(network_of(function), target).mod.imports
    alone = compile_function(function, target).mod
    assert kernel_of(assembly(whole)) == kernel_of(assembly(alone))


def network_of(function: PrimFunc) -> IRModule:
    """A network of one kernel."""
    data, *constants, out = (relax.TensorType(one.shape, one.dtype) for one in function.params)
    builder, image = relax.BlockBuilder(), relax.Var("image", data)
    with builder.function("main", [image]):
        with builder.dataflow():
            kernel = builder.add_func(function.with_attr("global_symbol", "kernel"), "kernel")
            zeros = [np.zeros([int(n) for n in one.shape], "float32") for one in constants]
            arguments = [image, *(relax.const(array) for array in zeros)]
            made = builder.emit_output(relax.call_tir(kernel, arguments, out))
        builder.emit_func_output(made)
    return builder.finalize()


def scheduled_layer(target: Target) -> PrimFunc:
    """A pointwise convolution with its hand tile."""
    (kernel,) = lowered(pointwise(target, 3, (40, 160), (14, 14))).kernels
    return apply(kernel, hand_tile(kernel, target.machine))


def assembly(module: tvm.runtime.Module) -> list[str]:
    return str(module.inspect_source("asm")).splitlines()


def kernel_of(lines: list[str]) -> list[str]:
    """The instructions of its phase, with neither the names of labels nor comments."""
    begin = next(n for n, line in enumerate(lines) if re.match(r"\w+_phase0:", line)) + 1
    end = next(n for n in range(begin, len(lines)) if re.match(r"\.Lfunc_end", lines[n]))
    code = [re.sub(r"\.L\w+", "", line.partition("#")[0]).strip() for line in lines[begin:end]]
    code = [line for line in code if not re.match(r"\.(loc|cfi)", line)]
    assert sum("vfmadd" in line or "fmla" in line for line in code) > 8
    return code
