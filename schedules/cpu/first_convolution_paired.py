"""The first convolution of a network by pairs of rows and columns: fewer multiply-adds.

    for strip in parallel:                           # strip_rows rows of output pixels
        for two rows:
            for some pairs of columns:
                what they multiply, of the five rows of the image under them
                for column_block:                    # `columns` columns, in pairs
                    sum[two rows, columns, vectors] = ...            # lives in registers
                    out[two rows, columns] = relu(sum)

How they are made is in `paired_sums.py`: 25 multiply-adds in place of 36, and what they multiply in
`paired_places.py`. Where a pool of 3x3 and stride 2 reads nothing else it is begun here: `out` is
the maximum over columns, taken while these are in registers, so that half as much is stored. The
maximum over rows is a stage of its own (`row_pool.py`). Measured with one thread on Zen 4, 24
channels of 224 x 224 pixels, this and the pool take 130 us, by AVX2 136 us, and 171 us with a
multiply-add for each tap. With places of whole rows, of which half were differences and the others
in the image, it took 136 to 142 us, and in ShuffleNet 1.0x in 3 groups, where the image and what is
written come from further away, 7 to 12 us more than now. On Zen 3, with vectors of 8 lanes, those
took 22 to 35 us off a first kernel of 404 to 443. Other channels have too many sums for 16
registers, or too few to keep a core busy: with 16 of them the first kernel of MobileNet 0.5 takes
7 % longer, so that they stay as they are.
"""

from dataclasses import dataclass
from functools import reduce
from itertools import product
from typing import Any

import numpy as np
from tvm import s_tir
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

from schedules.activation import activate
from schedules.cpu.fetching_steps import mark_turns
from schedules.cpu.first_convolution import FirstConvolution
from schedules.cpu.moves import Nest
from schedules.cpu.paired_places import AT_ONCE, PAIR, STEP, UNDER, emit_places, no_places
from schedules.cpu.paired_sums import PAIRED, Sums, paired
from schedules.cpu.prefetch_rows import Rows
from schedules.cpu.products import ENOUGH
from schedules.machine import Machine
from schedules.program import Tensors, block, local, store, zero

NESTS = 1
STRIDE = 2
# Columns of a tile, at most: whole tiles make up the pairs whose places are made at once. Measured
# on Zen 4: MobileNet 0.5, of 16 channels, takes 0.3 % longer with 8 of them, and 0.6 % with 14.
MOST = 4
# Multiply-adds that a core starts in a cycle, at most.
MOST_AT_ONCE = 16


@dataclass(frozen=True)
class PairedFirstConvolution(FirstConvolution):
    """A dense 3x3 convolution of stride 2, padded by one, in tiles of two rows and `columns`.

    If `pooled`, `target` has the rows of the convolution and the columns of a pool of 3x3 and
    stride 2, padded by one. ReLU comes last then, so that zeros may be outside.
    """

    columns: int = PAIR
    pooled: bool = False

    @property
    def rows_at_once(self) -> int:
        """Rows that are made one with the other."""
        return PAIR

    @property
    def macs(self) -> int:
        """Multiply-adds that it does the work of."""
        return (STRIDE if self.pooled else 1) * super().macs

    @property
    def multiplies(self) -> int:
        """The multiply-adds that it takes."""
        return self.macs * UNDER**2 // (PAIR * self.window[0]) ** 2


@dataclass(frozen=True)
class Tile:
    """The numbers of the nest, whose tiles are given."""

    strip_rows: int


def columns_of(work: FirstConvolution, machine: Machine) -> int | None:
    """Columns of a tile, if tiles make up the rows of a 3x3 convolution, padded by one."""
    image, made = work.source, work.target
    even = image.height % (STRIDE * PAIR) == 0 and image.width % (STRIDE * PAIR) == 0
    # The last places of a row are made with some of those before them.
    served = even and work.stride == STRIDE and work.lanes > 1 and image.width >= AT_ONCE * STEP
    # Neither measured where multiply-adds take nothing from memory, nor where a core starts more
    # than sixteen in a cycle.
    known = machine.memory_operands and machine.fma_lanes <= MOST_AT_ONCE
    single = {image.dtype, made.dtype} == {"float32"}
    if not (served and known and single):
        return None
    # Beside the sums, the weights of a tap and one value; and so many sums that none waits long.
    vectors = work.vectors.count
    most = min((machine.registers - vectors - 1) // (PAIR * vectors), MOST)
    least = ENOUGH * machine.fma_latency / machine.fma_cycles(work.lanes) / (PAIR * vectors)
    fitting = [columns for columns in range(most // PAIR * PAIR, 0, -PAIR) if columns >= least]
    return next((columns for columns in fitting if image.width // STRIDE % columns == 0), None)


def emit(name: str, work: PairedFirstConvolution, tensors: Tensors) -> None:
    """Write the nest of the stage: data [images, planes, height, width], weight, bias, out.

    Two rows are one block for schedules, and what is in it is written as it runs.
    """
    with block(name, {"r": work.target.rows // PAIR}) as (pair,):
        _emit_rows(name, work, tensors, pair * PAIR)


def _emit_rows(name: str, work: PairedFirstConvolution, tensors: Tensors, first: Any) -> None:
    """Write what makes two rows."""
    vectors, columns, out = work.vectors.count, work.columns, tensors["out"]
    kind = f"{work.dtype}x{work.lanes}"
    made = local(f"{name}_sum", (PAIR, columns, vectors), kind)
    # The last column of the tile before, which a window of the pool has too.
    before = local(f"{name}_before", (PAIR, vectors), kind)
    each = list(product(range(PAIR), range(vectors)))
    if work.pooled:
        for row, v in each:
            T.buffer_store(before, T.broadcast(zero(work.dtype), work.lanes), [row, v])
    places = no_places(name, work)

    def emit_some(name: str, begin: Any, skipped: int = 0) -> None:
        """Make the places of some pairs, and the tiles of them but for those made before."""
        emit_places(work, tensors["data"], places, first, begin)
        with T.serial((AT_ONCE - skipped) * PAIR // columns) as number:
            IRBuilder.name("tile", number)
            pair = skipped + number * (columns // PAIR)
            left = (begin + pair) * PAIR
            Sums(work, tensors, places, pair, first, left, made).emit(name)
            if work.pooled:
                _finish_pooled(work, out, (first, left), made, before)
            else:
                for x, (row, v) in product(range(columns), each):
                    _finish(work, out, (first + row, left + x, v), made[row, x, v])

    pairs = work.source.width // STEP
    with T.serial(pairs // AT_ONCE) as some:
        IRBuilder.name("some", some)
        emit_some(name, some * AT_ONCE)
    if pairs % AT_ONCE:
        emit_some(f"{name}_rest", pairs - AT_ONCE, AT_ONCE - pairs % AT_ONCE)


def _finish_pooled(
    work: PairedFirstConvolution, out: Any, at: tuple[Any, Any], made: Any, before: Any
) -> None:
    """Write the maxima of a tile, and leave the next its last column."""
    first, left = at
    each = list(product(range(PAIR), range(work.vectors.count)))
    for x, (row, v) in product(range(0, work.columns, STRIDE), each):
        beside = made[row, x - 1, v] if x else before[row, v]
        window = reduce(T.max, [beside, made[row, x, v], made[row, x + 1, v]])
        _finish(work, out, (first + row, (left + x) // STRIDE, v), window)
    for row, v in each:
        T.buffer_store(before, made[row, work.columns - 1, v], [row, v])


def _finish(work: PairedFirstConvolution, out: Any, at: tuple[Any, Any, int], value: Any) -> None:
    row, column, vector = at
    channels = T.ramp(work.vectors.start(vector), 1, work.lanes)
    done = activate(value, work.activation, work.dtype, work.lanes)
    store(out, done, work.target.at(row, column, channels), work.lanes)


def weight_shapes(work: PairedFirstConvolution) -> dict[str, tuple[int, ...]]:
    """The constants of the stage and their packed shapes."""
    vectors = (work.vectors.count, work.lanes)
    weight = (work.source.planes, PAIRED, PAIRED, *vectors)
    return {"weight": weight, "bias": (work.target.channels,)}


def weight_dtype(work: PairedFirstConvolution) -> str:
    """The type of the constants."""
    return work.target.dtype


def pack(
    work: PairedFirstConvolution, weight: np.ndarray, bias: np.ndarray
) -> dict[str, np.ndarray]:
    """[channels, planes, height, width] as read: [plane, kh, kw, vector, lane]; the bias stays.

    The taps of rows and columns are those of pairs.
    """
    return ordered(work, paired(weight), bias)


def ordered(
    work: PairedFirstConvolution, taps: np.ndarray, bias: np.ndarray
) -> dict[str, np.ndarray]:
    """The same of taps that are those of pairs already."""
    vectors = taps.transpose(1, 2, 3, 0)[..., work.vectors.indices()]
    packed = np.ascontiguousarray(vectors.reshape(weight_shapes(work)["weight"]))
    return {"weight": packed, "bias": bias}


def nest(sch: s_tir.Schedule, name: str, work: PairedFirstConvolution, tile: Any) -> Nest:
    """Give the stage the loop nest at the top of this file; fields of `tile` may be sampled."""
    (r,) = sch.get_loops(sch.get_sblock(name))
    strip, row = sch.split(r, [None, -(-tile.strip_rows // PAIR)])
    update = f"{name}_sum_update"
    block_of_columns, *_, plane = sch.get_loops(sch.get_sblock(update))
    mark_turns(sch, block_of_columns, (strip, row), work.macs)
    return Nest((strip,), rows=Rows(plane, None, update, work.columns), row=row)


def tiles_that_fit(work: PairedFirstConvolution, machine: Machine) -> list[tuple[()]]:
    """All that there is to choose is the rows of a strip."""
    return [()]


def hand_tiles(work: PairedFirstConvolution, machine: Machine, strip_rows: int) -> list[Tile]:
    """The only one."""
    return [Tile(strip_rows)]
