"""Random candidates of the search spaces compute on a GPU what the hand tile computes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm

from pipeline.compiling import compiling
from pipeline.gpu.compilers import compiler_named
from pipeline.gpu.package import device_module, export_library, keeping_source
from pipeline.linker import linker_for
from pipeline.targets import gpu_target
from schedules.cuda.operators import Work, hand_tile, program, signature, tiles_that_fit
from schedules.gpu import Gpu
from tests.cuda.half_works import HALF, WORKS
from tests.cuda.half_works import TOLERANCE as HALF_TOLERANCE
from tests.cuda.test_tiles import SEED, TOLERANCE
from tests.cuda.test_tiles import WORKS as FLOAT_WORKS

pytestmark = pytest.mark.gpu
CANDIDATES = 20
Arrays = dict[str, np.ndarray]
CASES = {**{str(number): work for number, work in enumerate(FLOAT_WORKS)}, **WORKS}


def library_of(work: Work, tiles: list[Any], path: Path) -> Any:
    """A library like that of a bundle: the kernel with every tile, "tile0" and so on."""
    target = gpu_target("cuda")
    module = tvm.IRModule(
        {
            f"tile{number}": program(work, tile).with_attr("global_symbol", f"tile{number}")
            for number, tile in enumerate(tiles)
        }
    )
    with compiling(work.dtype), keeping_source():
        built = tvm.compile(module, target=target.tvm)
    source = device_module(built.mod).inspect_source("cuda")
    code = compiler_named("auto").compile(source, target.architectures)
    export_library(built.mod, code.binary, path, linker_for(target.host))
    return tvm.runtime.load_module(str(path))


def run(function: Any, work: Work, arguments: Arrays, device) -> Arrays:
    """What a kernel writes into outputs that are filled with NaN."""
    outputs = {
        name: np.full(one.shape, np.nan, one.dtype) for name, one in signature(work).outputs.items()
    }
    tensors = {k: tvm.runtime.tensor(v, device) for k, v in (arguments | outputs).items()}
    function(*tensors.values())
    device.sync()
    return {name: tensors[name].numpy().astype("float32") for name in outputs}


@pytest.mark.parametrize("work", CASES.values(), ids=CASES)
def test_random_tiles_compute_the_same(work: Work, gpu: Gpu, device, tmp_path: Path) -> None:
    rng = np.random.default_rng(SEED)
    print(f"seed {SEED}")
    own = signature(work)
    arguments = {
        name: rng.standard_normal(one.shape, dtype="float32").astype(one.dtype)
        for name, one in {**own.inputs, **own.constants}.items()
    }
    allowed = HALF_TOLERANCE if work.dtype == HALF else TOLERANCE
    space = tiles_that_fit(work, gpu)
    drawn = [space[index] for index in rng.permutation(len(space))[:CANDIDATES]]
    tiles = [hand_tile(work, gpu), *drawn]
    library = library_of(work, tiles, tmp_path / "tiles.so")
    made = [run(library[f"tile{n}"], work, arguments, device) for n in range(len(tiles))]
    for name, expected in made[0].items():
        assert np.isfinite(expected).all()
        for tile, ours in zip(drawn, made[1:], strict=True):
            assert np.abs(ours[name] - expected).max() <= allowed * np.abs(expected).max(), tile
