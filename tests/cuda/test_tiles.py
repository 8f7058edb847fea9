"""Every tile of a search space is within the GPU; random ones compute what the hand tile does."""

import numpy as np
import pytest

from pipeline.targets.gpu import GPUS
from schedules.cuda.chain import Chain, patch_values
from schedules.cuda.mean import Mean
from schedules.cuda.operators import Work, hand_tile, program, signature, tiles_that_fit
from schedules.cuda.order import Order
from schedules.cuda.product import Product
from schedules.cuda.scale import Scale
from schedules.cuda.shared import shared_bytes
from schedules.cuda.tiles import registers
from schedules.cuda.window import Window
from schedules.frame import Frame, Planes
from schedules.gpu import BLOCK_SHARED_BYTES
from tests.cuda.running import run

SEED = 11
TOLERANCE = 1e-5
CANDIDATES = 20
T4 = GPUS["t4"]

CHAINS = [
    Chain(Frame(2, 3, 5, 18), Frame(2, 3, 5, 21), project=Product(3, 6, 7, "relu")),
    Chain(Frame(1, 7, 7, 64), Frame(1, 4, 4, 64), window=Window("depthwise", 2, "relu")),
    Chain(
        Frame(2, 5, 6, 10), Frame(2, 3, 3, 16), expand=Product(1, 10, 12, "relu"),
        middle=Frame(2, 5, 6, 12), window=Window("depthwise", 2), project=Product(1, 12, 16),
    ),
]  # fmt: skip


ORDER = Order(12, 2, 2)
WORKS = [
    *CHAINS,
    Chain(
        Planes(2, 3, 17, 19), Frame(2, 5, 5, 24),
        expand=Product(1, patch_values("float32"), 24, "relu"), middle=Frame(2, 9, 10, 24),
        window=Window("max", 2), stride=2,
    ),
    Chain(
        Frame(1, 7, 9, 24), Frame(1, 7, 9, 30), window=Window("depthwise", 1),
        project=Product(2, 12, 15, "relu"), follow=Product(2, 16, 6, "relu"), order=ORDER,
        after=ORDER.places,
    ),
    Chain(
        Frame(2, 4, 5, 12), Frame(2, 4, 5, 24), expand=Product(4, 6, 4, "relu", 2),
        middle=Frame(2, 4, 5, 16), window=Window("depthwise", 1),
        project=Product(2, 8, 12, "relu"), residual=True, mean=True,
    ),
    Chain(
        Frame(2, 7, 5, 16), Frame(2, 4, 3, 36), window=Window("depthwise", 2),
        project=Product(2, 8, 9, "relu"), follow=Product(3, 12, 8), order=Order(24, 3, 2),
        after=24, offset=18, pooled=Frame(2, 7, 5, 18), pool=Window("average", 2),
    ),
    Chain(
        Frame(1, 5, 7, 24), Frame(1, 5, 7, 112), project=Product(2, 12, 56), order=Order(112, 2, 4),
    ),
    Mean(Frame(3, 5, 7, 24)),
    Scale(Frame(2, 3, 5, 12), Frame(2, 3, 5, 12), residual=True, activation="relu"),
]  # fmt: skip


@pytest.mark.parametrize("work", WORKS, ids=range(len(WORKS)))
def test_random_tiles_compute_the_same(work: Work) -> None:
    rng = np.random.default_rng(SEED)
    print(f"seed {SEED}")
    own = signature(work)
    arguments = {
        name: rng.standard_normal(one.shape, dtype="float32").astype(one.dtype)
        for name, one in {**own.inputs, **own.constants}.items()
    }
    space = tiles_that_fit(work, T4)
    expected = run(program(work, hand_tile(work, T4)), arguments, own.outputs)
    for index in rng.permutation(len(space))[:CANDIDATES]:
        made = run(program(work, space[index]), arguments, own.outputs)
        for name, ours in made.items():
            assert np.isfinite(expected[name]).all()
            scale = np.abs(expected[name]).max()
            assert np.abs(ours - expected[name]).max() <= TOLERANCE * scale, space[index]


@pytest.mark.parametrize("chain", CHAINS, ids=range(len(CHAINS)))
def test_tiles_are_within_the_gpu(chain: Chain) -> None:
    for tile in tiles_that_fit(chain, T4):
        assert shared_bytes(chain, tile) <= BLOCK_SHARED_BYTES
        assert tile.threads <= 1024
        assert registers(chain, tile) * tile.threads <= 65536
