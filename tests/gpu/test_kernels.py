"""Random candidates of the search spaces compute on a GPU what the hand tile computes."""

import numpy as np
import pytest
import tvm

from pipeline.compiling import compiling
from pipeline.gpu.local import local_gpu
from schedules.cuda.chain import Chain
from schedules.cuda.operators import hand_tile, program, signature, tiles_that_fit
from schedules.gpu import Gpu
from tests.cuda.test_tiles import CHAINS, SEED, TOLERANCE

pytestmark = pytest.mark.gpu
CANDIDATES = 20


def run(chain: Chain, tile, arguments: dict[str, np.ndarray], device) -> np.ndarray:
    gpu = local_gpu()
    target = tvm.target.Target({"kind": "cuda", "arch": f"sm_{gpu.architecture}"}, host="llvm")
    with compiling():
        library = tvm.compile(program(chain, tile), target=target)
    shapes = signature(chain)
    outputs = {name: np.full(shape, np.nan, "float32") for name, shape in shapes.outputs.items()}
    tensors = {k: tvm.runtime.tensor(v, device) for k, v in (arguments | outputs).items()}
    library["main"](*tensors.values())
    device.sync()
    return tensors["out"].numpy()


@pytest.mark.parametrize("chain", CHAINS, ids=range(len(CHAINS)))
def test_random_tiles_compute_the_same(chain: Chain, gpu: Gpu, device) -> None:
    rng = np.random.default_rng(SEED)
    shapes = signature(chain)
    arguments = {
        name: rng.standard_normal(shape, dtype="float32")
        for name, shape in {**shapes.inputs, **shapes.constants}.items()
    }
    space = tiles_that_fit(chain, gpu)
    expected = run(chain, hand_tile(chain, gpu), arguments, device)
    assert np.isfinite(expected).all()
    for index in rng.permutation(len(space))[:CANDIDATES]:
        ours = run(chain, space[index], arguments, device)
        assert np.abs(ours - expected).max() <= TOLERANCE * np.abs(expected).max(), space[index]
