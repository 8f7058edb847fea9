"""What two rows and two columns of windows of stride 2 multiply: five by five places under each.

    for plane:
        for five rows of the image, 0 and 4 less row 2:
            four vectors, of every fourth column each, and the last of them a pair further left
            columns 0 and 4 less column 2

A place is a pixel or a difference of pixels, and those of pairs of columns that lie next to each
other are next to each other in memory. They are made for few pairs at a time, so that a core does
it while it still multiplies those before. Why they are multiplied is in `paired_sums.py`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tvm import tirx
from tvm.script.ir_builder import tirx as T

from schedules.program import local, zero

if TYPE_CHECKING:
    from schedules.cpu.first_convolution_paired import PairedFirstConvolution

# Rows or columns that are made together, and those of the image under their windows.
PAIR, UNDER = 2, 5
# The place that both windows have in common, and those of the first and the second alone.
COMMON, OWN = 2, ((0, (0, 1)), (1, (3, 4)))
# Columns of the image from one pair to the next, and pairs whose places are made together.
STEP, AT_ONCE = 4, 8
# Lanes of two vectors: by fours, by ones of each half, and by twos of each half. A CPU that has
# vectors of eight lanes moves them so with one instruction each, and of others with several.
FOURS = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]
ONES = [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]
TWOS = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]


class Places(NamedTuple):
    """The places of some pairs [planes, 5, 5, pairs], and the pixels left of them [planes, 5],
    which are kept, as a core would have to guess whether there are any."""

    places: Any
    left: Any


def no_places(name: str, work: "PairedFirstConvolution") -> Places:
    """Those at the beginning of a row, where zeros are on the left and nothing else is known."""
    planes = work.source.planes
    made = Places(
        local(f"{name}_places", (planes, UNDER, UNDER, AT_ONCE), work.dtype),
        local(f"{name}_left", (planes, UNDER), work.dtype),
    )
    for plane in range(planes):
        for y in range(UNDER):
            T.buffer_store(made.left, zero(work.dtype), [plane, y])
    return made


def emit_places(
    work: "PairedFirstConvolution", data: Any, made: Places, row: Any, first: Any
) -> None:
    """Write those under two output rows, the first counted as it is made, from pair `first` on.

    Above the image are zeros.
    """
    with T.serial(work.source.planes) as plane:
        _emit_plane(work, data, made, (row, plane, first))


def _emit_plane(
    work: "PairedFirstConvolution", data: Any, made: Places, at: tuple[Any, Any, Any]
) -> None:
    row, plane, first = at
    image, y = work.target.image_and_row(row)
    # A strip that makes rows outside the image makes them like the nearest, as nobody reads them.
    top = T.min(T.max(y, 0), work.target.height - PAIR) * PAIR - 1

    def pixels(y: int, column: int, count: int) -> Any:
        start = first * STEP + column
        found = data[image, plane, top + y, start if count == 1 else T.ramp(start, 1, count)]
        nothing = zero(work.dtype) if count == 1 else T.broadcast(zero(work.dtype), count)
        return found if y else T.if_then_else(top >= 0, found, nothing)

    left = [T.bind(made.left[plane, y]) for y in range(UNDER)]
    for y in range(UNDER):
        T.buffer_store(made.left, pixels(y, STEP * AT_ONCE - 1, 1), [plane, y])
    for y in range(UNDER):
        vectors = [
            [pixels(row, at, AT_ONCE) for row in (y, COMMON)]
            for at in range(0, STEP * AT_ONCE, AT_ONCE)
        ]
        outer = y in (0, UNDER - 1)
        own = _every_fourth([T.bind(one - common if outer else one) for one, common in vectors])
        beside = T.broadcast(left[y] - left[COMMON] if outer else left[y], AT_ONCE)
        further = tirx.Shuffle([own[3], beside], [AT_ONCE, *range(AT_ONCE - 1)])
        for x, value in enumerate((further - own[1], *own[:3], own[3] - own[1])):
            T.buffer_store(made.places, value, [plane, y, x, T.ramp(0, 1, AT_ONCE)])


def _every_fourth(vectors: Sequence[Any]) -> list[Any]:
    """Of the lanes of four vectors, which follow each other, every fourth: as four vectors."""

    def both(one: Any, other: Any, lanes: tuple[list[int], list[int]]) -> list[Any]:
        return [T.bind(tirx.Shuffle([one, other], which)) for which in lanes]

    one, two = both(vectors[0], vectors[2], FOURS)
    three, four = both(vectors[1], vectors[3], FOURS)
    low, high = zip(both(one, two, ONES), both(three, four, ONES), strict=True)
    return [*both(*low, TWOS), *both(*high, TWOS)]
