"""Grouped 1x1 convolution of the pixels of a block on tensor cores.

    for item in (splits, blocks of pixels, blocks of vectors), dealt out to warps:
        sum[pixels, vectors x 8] = 0                 # lives in the registers of a warp
        for chunk of the input channels:
            stage data[all pixels, chunk]            # in shared memory, if it is not there
            for k in this split's part of it, by 16:
                sum += data[pixels, k:k+16] * weight[k:k+16, vectors]
    add up the splits, and what comes after          # through shared memory, a vector a thread

Group widths that are no multiples of 16 end in zeros: of the weights where they are packed, of the
data where it is staged; data that the block has made is followed by that of its next group, which
zeros of the weights leave out. Weights come from memory in the order of the warp's registers, 128
bits a thread; data is read by `ldmatrix` from rows that lie off each other's banks. Sums take the
way through shared memory so that they leave for memory as whole vectors, whoever made them.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import ceil
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import Block, when
from schedules.cuda.device import LOAD_MATRIX, MULTIPLY_MATRICES, ROLLED
from schedules.cuda.epilogue import Epilogue, Parts, add_up, parts_buffer
from schedules.cuda.fragments import COLUMNS, DEPTH, ROWS, STEPS, deep, steps_of
from schedules.cuda.loops import serial, unrolled, vector
from schedules.cuda.matrix_shape import CHUNK, MOST_VECTORS, Shape, shape_of, staged_whole
from schedules.cuda.product import Job, Meanwhile, Product, Rows, largest_divisor
from schedules.cuda.shared_rows import SharedRows, padded_rows
from schedules.cuda.vectors import buffer
from schedules.gpu import WARP
from schedules.program import zero


def job_shape(job: Job, rows: Rows) -> Shape:
    """The shape of a job."""
    share = job.share
    warps = ceil(job.block.threads // WARP / share.groups)
    whole = rows.kept is not None or staged_whole(job.product)
    tile = share.pixels, share.splits, share.vectors, warps
    return shape_of(job.product, job.count, tile, whole)


def emit_by_matrices(job: Job, rows: Rows, epilogue: Epilogue, meanwhile: Meanwhile) -> None:
    """Writes the product."""
    shape, share, name = job_shape(job, rows), job.share, job.name
    # Rows of sums lie off each other's banks too.
    stride = (share.columns + 1) * COLUMNS
    parts = parts_buffer(name, shape.splits, shape.rounds * shape.pixels, stride)
    tiles = shape.pixels // ROWS
    registers = _Registers(
        buffer(f"{name}_sum", (tiles, shape.vectors, 4), "local"),
        buffer(f"{name}_data", (tiles, DEPTH // 2), "local", job.product.dtype),
        buffer(f"{name}_weight", (shape.vectors, DEPTH // 2), "local", job.product.dtype),
    )
    chunks = _chunks(job.product, rows)
    data = rows.kept if rows.kept is not None else _stage_rows(job, shape, chunks)
    if rows.kept is None and len(chunks) == 1:
        _stage(job, rows, data, 0, chunks[0])
    with _warp_items(job.block, shape.items * share.groups) as (item, known):
        place = _place(job, shape, item)
        with known():
            _clear(registers.sums)
        for first, extent, count in _runs(chunks):
            with serial(count, "chunk") as number:
                begin = first + number * extent
                # From one group of the data to the next.
                wide = deep(extent) if rows.kept is None else job.product.inputs
                if rows.kept is None and len(chunks) > 1:
                    _stage(job, rows, data, begin, extent)
                with known():
                    _multiply(job, shape, place, (data, wide, begin, extent), registers)
        with known():
            _put(place, registers.sums, parts)
    meanwhile()
    add_up(job, parts, shape.splits, epilogue)


@dataclass(frozen=True)
class _Registers:
    """Sums, data and weights of a warp."""

    sums: Any
    data: Any
    weight: Any


@dataclass(frozen=True)
class _Place:
    """What a warp takes: split, first pixel, group of the share, first vector in the group."""

    split: Any
    pixel: Any
    group: Any
    vector: Any
    column: Any
    lane: Any


@contextmanager
def _warp_items(block: Block, count: int) -> Iterator[Any]:
    """Deals out `count` items to the warps; the body sees the number of one, and a context for what
    only warps with an item do."""
    warps = block.threads // WARP
    with serial(ceil(count / warps), "turn") as turn:
        item = turn * warps + block.thread // WARP
        yield item, (lambda: when(item < count)) if count % warps else nullcontext


def _place(job: Job, shape: Shape, item: Any) -> _Place:
    share = job.share
    blocks = shape.blocks * share.groups
    column, rest = item % blocks, item // blocks
    group = column // shape.blocks if share.groups > 1 else 0
    # The last block may repeat vectors of the one before it.
    start = T.min(column % shape.blocks * shape.vectors, share.vectors - shape.vectors)
    return _Place(
        rest // shape.rounds, rest % shape.rounds * shape.pixels, group, start,
        group * share.vectors + start, job.block.thread % WARP,
    )  # fmt: skip


def _chunks(product: Product, rows: Rows) -> list[int]:
    """The input channels of a group, in parts that are staged at once."""
    if rows.kept is not None:
        return [product.inputs]
    full, rest = divmod(product.inputs, CHUNK)
    return [CHUNK] * full + ([rest] if rest else [])


def _runs(chunks: list[int]) -> Iterator[tuple[int, int, int]]:
    """Chunks of equal extent as (first channel, extent, how many)."""
    full = chunks.count(chunks[0])
    yield 0, chunks[0], full
    if full < len(chunks):
        yield full * chunks[0], chunks[-1], 1


def _stage_rows(job: Job, shape: Shape, chunks: list[int]) -> SharedRows:
    values = job.share.groups * deep(chunks[0])
    rows = shape.rounds * shape.pixels
    return padded_rows(f"{job.name}_staged", job.product, rows, values)


def _stage(job: Job, rows: Rows, staged: SharedRows, first: Any, extent: int) -> None:
    """The data of a chunk to shared memory, zeros up to whole multiplications."""
    step, wide = rows.step, deep(extent)
    each, dtype = wide // step, job.product.dtype
    with job.block.items(job.count * job.share.groups * each) as item:
        pixel, column = item // (job.share.groups * each), item % (job.share.groups * each) * step
        group, k = column // wide, column % wide
        with vector(step) as lane:
            value = rows.load(pixel, job.share.first + group, first + k + lane)
            if wide > extent:
                value = T.if_then_else(k < extent, value, zero(dtype))
            staged.store(value, pixel, column + lane)


def _clear(sums: Any) -> None:
    tiles, vectors, _ = (int(extent) for extent in sums.shape)
    with unrolled(tiles, "m") as m, unrolled(vectors, "n") as n, vector(4) as lane:
        T.buffer_store(sums, zero(), [m, n, lane])


def _multiply(
    job: Job, shape: Shape, place: _Place, chunk: tuple[Any, int, Any, int], registers: _Registers
) -> None:
    """A chunk's products are added to the sums, two steps of the reduction at a time."""
    data, wide, begin, extent = chunk
    steps = steps_of(extent)
    each = steps // STEPS // shape.splits
    first = place.group * wide if job.share.groups > 1 else 0
    if each:
        # The weights of two accesses at once are as many registers as the sums.
        together = largest_divisor(each, 2 if shape.vectors <= MOST_VECTORS // 2 else 1)
        with serial(each // together, ROLLED) as outer, unrolled(together, "u") as inner:
            access = place.split * each + outer * together + inner
            row = first + access * STEPS * DEPTH
            _two_steps(job, place, (data, row, begin // (STEPS * DEPTH) + access, STEPS), registers)
    if steps % STEPS:
        last = steps // STEPS
        row = first + last * STEPS * DEPTH
        _two_steps(job, place, (data, row, begin // (STEPS * DEPTH) + last, 1), registers)


def _two_steps(
    job: Job, place: _Place, step: tuple[Any, Any, Any, int], registers: _Registers
) -> None:
    """Up to two steps, whose weights are one access of each thread."""
    data, row, access, steps = step
    sums, matrix, weight = registers.sums, registers.data, registers.weight
    tiles, vectors, _ = (int(extent) for extent in sums.shape)
    group, own = job.share.first + place.group, job.share.start + place.vector
    with unrolled(vectors, "n") as n, vector(DEPTH // 2) as lane:
        value = job.constants["weight"][group, own + n, access, place.lane, lane]
        T.buffer_store(weight, value, [n, lane])
    half = DEPTH // 2
    for number in range(steps):
        with unrolled(tiles, "m") as m:
            # Thread t hands in row t % 16 of the pixels, and the first or second half of the depth.
            pixel = place.pixel + m * ROWS + place.lane % ROWS
            at = pixel * data.stride + row + number * DEPTH + place.lane // ROWS * half
            _call(
                LOAD_MATRIX,
                matrix.access_ptr("w", offset=m * half),
                data.values.access_ptr("r", offset=at),
            )
        with unrolled(tiles, "m") as m, unrolled(vectors, "n") as n:
            _call(
                MULTIPLY_MATRICES,
                sums.access_ptr("rw", offset=(m * vectors + n) * 4),
                matrix.access_ptr("r", offset=m * half),
                weight.access_ptr("r", offset=n * half + number * half // STEPS),
            )


def _call(function: str, *arguments: Any) -> None:
    T.evaluate(T.call_extern("int32", function, *arguments))


def _put(place: _Place, sums: Any, parts: Parts) -> None:
    """Sums to shared memory from where the threads of a warp hold them."""
    tiles, vectors, _ = (int(extent) for extent in sums.shape)
    with unrolled(tiles, "m") as m, unrolled(vectors, "n") as n, unrolled(2, "down") as down:
        pixel = place.pixel + m * ROWS + down * (ROWS // 2) + place.lane // 4
        column = (place.column + n) * COLUMNS + place.lane % 4 * 2
        with vector(2) as lane:
            value = sums[m, n, down * 2 + lane]
            T.buffer_store(parts.values, value, parts.place(place.split, pixel, column + lane))
