"""First convolutions that read windows straight from a piece of the image."""

import numpy as np
import pytest

from pipeline.gpu.expected import expected
from pipeline.gpu.random_arguments import packed, random_arguments
from pipeline.targets.gpu import GPUS
from schedules.cuda.chain import Chain, Tile, patch_values
from schedules.cuda.extent import from_piece
from schedules.cuda.first_convolution import runs_of
from schedules.cuda.operators import program, signature, tiles_that_fit
from schedules.cuda.product import Product
from schedules.cuda.window import Window
from schedules.frame import Frame, Planes
from tests.cuda.running import run

H100 = GPUS["h100"]
SEED, TOLERANCE = 4, 1e-5
CONVOLUTION = Product(1, patch_values("float32"), 12, "relu")
ALONE = Chain(Planes(2, 3, 17, 19), Frame(2, 9, 10, 12), project=CONVOLUTION, stride=2)
STEM = Chain(
    Planes(2, 3, 17, 19), Frame(2, 5, 5, 12), expand=CONVOLUTION, middle=Frame(2, 9, 10, 12),
    window=Window("max", 2), stride=2,
)  # fmt: skip
TILES = {
    # Runs as long as their rows, shorter ones, and such as overlap at the end of a row.
    "alone": (ALONE, Tile(2, 4, 1, 4, 1, 64)),
    "in parts": (ALONE, Tile(3, 7, 3, 4, 1, 64)),
    "whole rows": (ALONE, Tile(2, 10, 1, 8, 1, 64)),
    "stem": (STEM, Tile(2, 2, 1, 4, 1, 64)),
    "whole rows of a stem": (STEM, Tile(1, 5, 1, 8, 1, 64)),
    "whole images": (STEM, Tile(5, 5, 1, 8, 1, 128)),
}


@pytest.mark.parametrize(("chain", "tile"), TILES.values(), ids=TILES)
def test_they_compute_what_their_definition_says(chain: Chain, tile: Tile) -> None:
    assert from_piece(chain, tile)
    arguments = random_arguments(chain, SEED)
    made = run(program(chain, tile), packed(chain, arguments), signature(chain).outputs)
    (wanted,) = expected(chain, arguments).values()
    assert np.abs(made["out"] - wanted).max() <= TOLERANCE * np.abs(wanted).max()


def test_a_thread_reads_each_value_under_its_run_once_and_no_rows_are_laid_out() -> None:
    script = program(ALONE, Tile(2, 4, 1, 4, 1, 64)).script()
    assert "patches" not in script
    # Four windows of stride 2 reach over nine values of a row, of three rows of a plane.
    assert script.count("project_row[") - script.count("* project_weight") >= 3 * 9
    assert script.count("= piece[") == 3 * 9


def test_runs_of_a_row_are_of_one_length() -> None:
    for columns in range(1, 40):
        for most in (1, 2, 4, 8):
            runs = runs_of(columns, most)
            assert runs.pixels <= most
            assert columns <= runs.pixels * runs.across < columns + runs.across


def test_split_reductions_and_matrices_read_rows() -> None:
    tiles = tiles_that_fit(STEM, H100)
    assert {from_piece(STEM, tile) for tile in tiles if tile.splits > 1 or tile.pixels == 1} == {
        False
    }
    assert {from_piece(STEM, tile) for tile in tiles if tile.splits == 1 < tile.pixels} == {True}
