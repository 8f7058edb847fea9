"""What of a chain a block makes: pixels, groups, and vectors of channels."""

from math import ceil

from schedules.cuda.chain import Chain, Tile, first_product, slices, step
from schedules.cuda.matrix_shape import Shape, shape_of, staged_whole
from schedules.cuda.patch import Halo, Line, Square
from schedules.cuda.product import Access, Product
from schedules.cuda.vectors import SUM
from schedules.frame import Frame, Planes
from schedules.gpu import WARP


def patch_of(chain: Chain, tile: Tile) -> Line | Square:
    """The pixels of a block: a square where a window reads what the block itself has made, or has
    brought from an image."""
    if chain.expand or isinstance(chain.source, Planes):
        return Square(chain.target, tile.rows, tile.columns)
    return Line(chain.target, tile.count)


def halo_of(chain: Chain, tile: Tile) -> Halo | None:
    """The pixels that the block computes for its window to read."""
    if not chain.expand or not chain.middle or not chain.window:
        return None
    return Halo(Square(chain.target, tile.rows, tile.columns), chain.middle, chain.window.stride)


def image_of(chain: Chain, tile: Tile) -> Halo | None:
    """The pixels of an image under the first convolution of a block."""
    if not isinstance(chain.source, Planes):
        return None
    images = chain.source
    frame = Frame(images.images, images.height, images.width, images.planes, dtype=images.dtype)
    inner = halo_of(chain, tile) or Square(chain.target, tile.rows, tile.columns)
    return Halo(inner, frame, chain.stride)


def from_piece(chain: Chain, tile: Tile) -> bool:
    """Whether the first convolution of a block reads windows straight from its piece of an image,
    as threads can that have whole windows, and several. Else their values are laid out as rows,
    which tensor cores and split reductions need; halves are read from rows as whole accesses."""
    lanes = not chain.matrices and chain.dtype == SUM
    return isinstance(chain.source, Planes) and lanes and tile.splits == 1 < tile.pixels


def count_of(chain: Chain, product: Product, tile: Tile) -> int:
    """Pixels of a product."""
    halo = halo_of(chain, tile) if product is chain.expand else None
    return halo.count if halo else tile.count


def groups_of(chain: Chain, product: Product, tile: Tile) -> int:
    """Groups of a product."""
    return product.groups // slices(chain, tile)


def vectors_of(chain: Chain, product: Product, tile: Tile) -> int:
    """Vectors of each of them."""
    return product.vectors // tile.parts if product is chain.project else product.vectors


def columns_of(chain: Chain, product: Product, tile: Tile) -> int:
    """Vectors of all of them."""
    return groups_of(chain, product, tile) * vectors_of(chain, product, tile)


def fetched(chain: Chain, product: Product) -> bool:
    """Whether a product reads what another kernel has made."""
    first = product is chain.expand or (product is chain.project and not chain.window)
    return first and not isinstance(chain.source, Planes)


def access_of(chain: Chain, product: Product) -> Access:
    """How a product reads its data."""
    first = product is first_product(chain)
    return Access(step(chain) if first else chain.lanes, shared=not fetched(chain, product))


def staged_places(chain: Chain, tile: Tile, columns: int) -> int:
    """Values of a pixel on their way to a tensor in another order: all its places if the block has
    all groups, else the columns that it makes."""
    whole = chain.order if slices(chain, tile) == 1 else None
    return whole.places if whole else columns * chain.lanes


def matrix_shape(chain: Chain, product: Product, tile: Tile) -> Shape:
    """What warps take of a product on tensor cores."""
    groups = groups_of(chain, product, tile)
    warps = ceil(tile.threads // WARP / groups)
    numbers = tile.pixels, tile.splits, vectors_of(chain, product, tile), warps
    whole = not fetched(chain, product) or staged_whole(product)
    return shape_of(product, count_of(chain, product, tile), numbers, whole)
