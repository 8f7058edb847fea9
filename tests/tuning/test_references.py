"""What whole kernels are compared with while they are tuned: their unscheduled programs."""

from pathlib import Path

import numpy as np
import pytest
import tvm

from pipeline.build import apply, lower
from pipeline.compiling import export_function, export_unscheduled
from pipeline.models import InputSpec, load
from pipeline.targets import Target
from pipeline.tune.arguments import arguments, outputs, updates
from pipeline.tune.worker import check
from schedules.cpu.kernel import program
from schedules.cpu.tiles import hand_tile


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
