"""Rows of pixels in shared memory, as the products of a block read them.

    row[pixel] = values of every group, zeros up to what tensor cores multiply at once, nothing

The last keeps neighbouring rows off each other's banks: eight rows of an odd number of 128-bit
accesses begin in different ones.
"""

from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any

from tvm.script.ir_builder import tirx as T

from schedules.cuda.block import Block
from schedules.cuda.fragments import deep
from schedules.cuda.loops import vector
from schedules.cuda.product import Access, Product, Rows, Share
from schedules.cuda.vectors import Lanes, buffer, bytes_of, write
from schedules.program import zero


@dataclass(frozen=True)
class SharedRows:
    """Rows in shared memory, one `stride` values after the other. They are one buffer without rows:
    the compiler would cut off what of each is never used, and with it alignment and padding."""

    values: Any
    stride: int

    def value(self, row: Any, place: Any) -> Any:
        """A value of a row."""
        return self.values[row * self.stride + place]

    def place(self, row: Any, first: Any, lane: Any) -> list[Any]:
        """Where a value lies in the buffer."""
        return [row * self.stride + first + lane]

    def store(self, value: Any, row: Any, place: Any) -> None:
        """Replaces a value of a row."""
        T.buffer_store(self.values, value, self.place(row, place, 0))

    def keep(self, lanes: int, value: Lanes, row: Any, first: Any) -> None:
        """`value(lane)` of sums as one access, from a place of a row on."""
        write(self.values, lanes, value, partial(self.place, row, first))


def shared_rows(name: str, rows: int, stride: int, dtype: str) -> SharedRows:
    """So many rows."""
    return SharedRows(buffer(name, (rows * stride,), "shared", dtype), stride)


def padded_rows(name: str, product: Product, rows: int, values: int) -> SharedRows:
    """Rows for so many values of a product's type, off each other's banks."""
    return shared_rows(name, rows, odd(values // product.lanes) * product.lanes, product.dtype)


def odd(vectors: int) -> int:
    """Accesses from one row to the next for so many of values."""
    return vectors | 1


def row_values(product: Product, groups: int) -> int:
    """Values from one row to the next, each of so many groups."""
    lanes = product.lanes
    vectors = (groups * product.inputs + _tail(product)) // lanes
    return odd(vectors) * lanes


def row_count(product: Product, pixels: int, together: int) -> int:
    """Rows for so many pixels, of which warps take so many together."""
    return ceil(pixels / together) * together if product.matrices else pixels


def rows_bytes(product: Product, groups: int, pixels: int, together: int) -> int:
    """Shared memory that they take."""
    each = row_values(product, groups) * bytes_of(product.dtype)
    return row_count(product, pixels, together) * each


def data_rows(name: str, product: Product, share: Share, pixels: int) -> SharedRows:
    """Rows for the data of a share of a product."""
    count, stride = row_count(product, pixels, share.pixels), row_values(product, share.groups)
    return shared_rows(name, count, stride, product.dtype)


def fill_rows(block: Block, product: Product, share: Share, rows: SharedRows, pixels: int) -> None:
    """Zeros past the values of the last group, which tensor cores multiply too; past the others'
    is what their weights of zero leave out."""
    tail, lanes = _tail(product), product.lanes
    if not tail:
        return
    with block.items(pixels * tail // lanes) as item, vector(lanes) as lane:
        place = share.groups * product.inputs + item % (tail // lanes) * lanes + lane
        rows.store(zero(product.dtype), item // (tail // lanes), place)


def rows_in(product: Product, share: Share, rows: SharedRows) -> Rows:
    """Them as the data of a product."""

    def load(pixel: Any, group: Any, k: Any) -> Any:
        place = (group - share.first) * product.inputs + k if share.groups > 1 else k
        return rows.value(pixel, place)

    return Rows(load, Access(product.lanes, shared=True), rows)


def _tail(product: Product) -> int:
    return deep(product.inputs) - product.inputs if product.matrices else 0
