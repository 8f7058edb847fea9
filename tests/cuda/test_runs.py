"""Windows of a run of neighbours are those of each pixel alone; rows lie in different banks."""

from dataclasses import replace

import numpy as np
import pytest

from schedules.cuda.chain import Chain, Tile
from schedules.cuda.operators import program, signature
from schedules.cuda.product import Access, Product
from schedules.cuda.product_lanes import LINE, columns_together
from schedules.cuda.shared_rows import row_values
from schedules.cuda.window import Window
from schedules.frame import Frame
from tests.cuda.running import run

SEED = 12
TOLERANCE = 1e-5
CHAINS = {
    "line": (
        Chain(Frame(1, 3, 8, 12), Frame(1, 3, 8, 12), window=Window("depthwise", 1, "relu")),
        Tile(1, 16, 1, 1, 1, 64), (2, 4),
    ),
    "line of stride 2": (
        Chain(Frame(2, 6, 14, 8), Frame(2, 3, 7, 12), window=Window("depthwise", 2),
              project=Product(1, 8, 12, "relu")),
        Tile(1, 14, 1, 2, 1, 64), (7,),
    ),
    "halo": (
        Chain(Frame(1, 6, 8, 12), Frame(1, 6, 8, 8), expand=Product(1, 12, 12, "relu"),
              middle=Frame(1, 6, 8, 12), window=Window("depthwise", 1), project=Product(1, 12, 8)),
        Tile(2, 4, 1, 4, 1, 64), (2, 4),
    ),
    "whole image of stride 2": (
        Chain(Frame(2, 8, 8, 12), Frame(2, 4, 4, 8), expand=Product(1, 12, 12, "relu"),
              middle=Frame(2, 8, 8, 12), window=Window("depthwise", 2), project=Product(1, 12, 8)),
        Tile(4, 4, 1, 4, 1, 64), (2, 4),
    ),
    "pool beside a unit": (
        Chain(Frame(1, 4, 8, 12), Frame(1, 2, 4, 24), window=Window("depthwise", 2),
              project=Product(1, 12, 12, "relu"), pooled=Frame(1, 4, 8, 12),
              pool=Window("average", 2), pool_offset=12),
        Tile(1, 8, 1, 4, 1, 64), (2, 4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHAINS)
def test_a_run_computes_what_its_pixels_do(name: str) -> None:
    chain, tile, runs = CHAINS[name]
    rng = np.random.default_rng(SEED)
    print(f"seed {SEED}")
    own = signature(chain)
    arguments = {
        role: rng.standard_normal(one.shape, dtype="float32")
        for role, one in {**own.inputs, **own.constants}.items()
    }
    alone = run(program(chain, tile), arguments, own.outputs)["out"]
    assert np.isfinite(alone).all()
    for pixels in runs:
        ours = run(program(chain, replace(tile, run=pixels)), arguments, own.outputs)["out"]
        assert np.abs(ours - alone).max() <= TOLERANCE * np.abs(alone).max(), pixels


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("inputs", [8, 24, 64, 120, 128, 480])
def test_rows_of_eight_neighbours_begin_in_different_banks(inputs: int, dtype: str) -> None:
    product = Product(1, inputs, 8, dtype=dtype)
    vectors = row_values(product, 1) // product.lanes
    assert len({pixel * vectors % LINE for pixel in range(LINE)}) == LINE


def test_threads_of_other_pixels_share_a_line_of_weights() -> None:
    kept, tensor = Access(4, shared=True), Access(4, shared=False)
    assert columns_together(128, kept) == LINE
    assert columns_together(15, kept) == 5
    # Fewer than half a line would be more lines, and rows of a tensor are lines of their own.
    assert columns_together(13, kept) == 13
    assert columns_together(128, tensor) == 128
