"""The numbers that a tile of a chain may have, each as far as the chain itself allows it.

Which of them fit a GPU together, and which are fastest, is for `tiles.py` to say.
"""

from math import ceil

from schedules.cuda.chain import Chain, Tile
from schedules.cuda.extent import columns_of, count_of
from schedules.cuda.vectors import bytes_of
from schedules.frame import Planes

PIXELS = (1, 2, 4, 8)
# Of a warp on tensor cores.
MATRIX_PIXELS = (16, 32, 64)
SPLITS = (1, 2, 4, 8, 16, 32)
LINES = (1, 2, 4, 7, 8, 14, 16, 28, 32, 49, 56, 64)
SIDES = (1, 2, 3, 4, 7, 8, 14)
RUNS = (1, 2, 4, 7)
# A row of an image that a block may have whole, so that it has no neighbours in it.
LONGEST_ROW = 28
MOST_PARTS = 64
# More turns than this of the threads of a block need no splits of reductions.
TURNS = 4
# Neighbouring values that are stored together fill half of the sectors of 32 bytes that they touch,
# wherever they begin and where a warp ends among them.
LEAST_RUN_BYTES = 52


def pixels_of(chain: Chain) -> tuple[int, ...]:
    """Pixels of a thread, or of a warp on tensor cores."""
    if chain.matrices:
        return MATRIX_PIXELS
    return PIXELS if chain.products else (1,)


def splits_of(chain: Chain, tile: Tile) -> list[int]:
    """Into how many reductions are split; no further where the smallest product has enough items
    for the threads of a block."""
    if not chain.products:
        return [1]
    if chain.matrices:
        return list(SPLITS)
    items = min(
        ceil(count_of(chain, one, tile) / tile.pixels) * columns_of(chain, one, tile)
        for one in chain.products
    )
    return [splits for splits in SPLITS if splits == 1 or splits * items <= TURNS * tile.threads]


def shapes_of(chain: Chain) -> list[tuple[int, int]]:
    """Rows and columns of the pixels of a block."""
    target = chain.target
    squares = chain.expand is not None or isinstance(chain.source, Planes)
    if chain.mean:
        whole = target.height, target.width
        return [whole if squares else (1, whole[0] * whole[1])]
    if squares:
        sides = sorted({*SIDES, min(target.width, LONGEST_ROW)})
        # A tile and the same one upright cost as much; rows of the lying one are longer.
        return [
            (rows, columns)
            for rows in sides
            for columns in sides
            if rows <= min(columns, target.height) and columns <= target.width
            if rows * columns >= 4
        ] or [(1, 1)]
    return [(1, count) for count in LINES if count <= target.pixels]


def shares_of(chain: Chain) -> list[tuple[int, int]]:
    """Groups of a block, and the parts of each; the parts are 1 where a step needs all of them."""
    every, order = chain.groups, chain.order
    run = LEAST_RUN_BYTES // bytes_of(chain.dtype)
    if chain.follow and chain.pooled:
        return [(every, 1)]
    if order is None or not chain.staged:
        least = run if chain.narrow else 1
        cuts = _parts(chain)
        return [(1, n) for n in cuts if n == 1 or chain.vectors // n * chain.lanes >= least]
    shares = [(every, 1)]
    # What a group of the shuffle leaves to each slice lies together.
    if order.slice == order.inputs and order.inputs // order.shuffle >= run:
        shares += [
            (1, parts) for parts in _parts(chain) if chain.vectors // parts * chain.lanes >= run
        ]
    return shares


def run_lengths_of(chain: Chain, columns: int) -> list[int]:
    """Of how many neighbours in a row of pixels a thread can have the windows."""
    if not chain.window and not chain.pool:
        return [1]
    width = chain.target.width
    return [run for run in RUNS if columns % run == 0 and width % run == 0]


def _parts(chain: Chain) -> list[int]:
    """Into how many parts a group's vectors can be cut; what follows needs all of them."""
    if chain.follow or (chain.expand and not chain.project):
        return [1]
    most = min(chain.vectors, MOST_PARTS)
    return [parts for parts in range(1, most + 1) if chain.vectors % parts == 0]
