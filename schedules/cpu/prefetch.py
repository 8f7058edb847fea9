"""Fetching the weights of the next vector block while those of this one are multiplied.

    for vector_block, row, column_block:
        for k:
            sum[columns, vectors] += data[k] * weight[vector_block, k]
            fetch a line of weight[vector_block + 1]

The weights of a vector block, a panel, are read by every tile of pixels, from the second-level
cache by all but the first. That one waits for them to come from further away, where the weights of
a network lie between two inferences: what a core fetches by itself ends with the page. So every
tile of a strip fetches its share of the next panel, some elements a step, so that what is on its
way at any time leaves room for what the multiply-adds wait for. Where steps do not come out even it
goes beyond its share a little: to stop there takes seven instructions a fetch, a seventh of all in
a loop of AVX2. After the last panel comes the first, which the next strip begins with. Measured
with one thread on Zen 4 without AVX-512, the network's calls in turns, it takes 3 % off the time of
MobileNet 1.0, half of that by fetching few elements a step, not whole lines. Of a shuffled tensor a
step is a turn of several input channels, and may fetch as many lines: measured with AVX-512, that
takes 1 % off ShuffleNet 1.0x in 3 or 8 groups, whose 7 x 7 pixels are few tiles. Where tiles are
many, what the first of them waits for is little next to what all of them would spend on fetching.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np
from tvm import s_tir, tirx
from tvm.tirx import PrimFunc

from schedules.cpu.fetching_steps import MARK
from schedules.cpu.statements import loops_changed, with_body, within_block
from schedules.machine import LINE

# What the instruction says: the line will be read, soon or after other things, and is data.
READ, SOON, LATER, DATA = 0, 3, 2, 1
# Lines a tile from which on it fetches its share. Measured on Zen 3, in turns: the first kernel of
# ShuffleNet 1.0x in 3 groups takes 365 us so, and 431 where its tiles fetch a line or two each.
FEWEST_LINES = 8


@dataclass(frozen=True)
class Panel:
    """The loops that a panel of `vectors` vectors meets: `pixels`, over tiles, and `steps`.

    The last step is around the block `block`, whose axes count groups, after `pixel_axes` others,
    and vectors. It is a `turn` of that many input channels. An iteration of the block is one
    multiply-add for each lane that it writes, or `macs`.
    """

    pixels: tuple[Any, ...]
    steps: tuple[Any, ...]
    block: str
    vectors: int
    pixel_axes: int = 2
    turn: int = 1
    macs: int | None = None


def fetching_ahead(sch: s_tir.Schedule, panel: Panel, weight: str) -> PrimFunc:
    """The scheduled function, fetching the next panel of its parameter `weight` [g, v, ...].

    It is the function as it is where there is one panel only, where the tiles are too few to fetch
    one at a line an input channel, as each of them waits for its weights anyway, and where they are
    so many that hardly any does.
    """
    function = sch.mod["main"]
    buffer = parameter(function, weight)
    pixels = [sch.get(loop) for loop in panel.pixels]
    steps = [sch.get(loop) for loop in panel.steps]
    groups, vectors, *rest = (int(extent) for extent in buffer.shape)
    elements = panel.vectors * prod(rest)
    tiles, depth = (prod(int(loop.extent) for loop in loops) for loops in (pixels, steps))
    a_step = ceil(elements / tiles / depth)
    line = LINE // np.dtype(str(buffer.dtype)).itemsize
    lines = ceil(a_step / line)
    # Where shares end within a line, networks took up to 3 % longer.
    share = ceil(elements / tiles / line) * line
    many = share < FEWEST_LINES * line
    if lines > panel.turn or many or groups * vectors == panel.vectors:
        return function
    if lines > 1:
        a_step = lines * line

    def places(axes: list[Any]) -> list[list[Any]]:
        group, vector = axes[panel.pixel_axes : panel.pixel_axes + 2]
        following = (group * vectors + vector + panel.vectors) % (groups * vectors)
        begin, done = count(pixels) * share, count(steps) * a_step
        shares = [begin + done + at * line for at in range(lines)]
        return [[0, following, *[0] * (len(rest) - 1), ahead] for ahead in shares]

    return fetching(sch, panel.steps[-1], panel.block, weight, places)


def fetching(  # noqa: PLR0913 - where, and what
    sch: s_tir.Schedule,
    loop: Any,
    block: str,
    data: str,
    places: Callable[[list[Any]], list[list[Any]]],
    when: int = SOON,
) -> PrimFunc:
    """The scheduled function, where each iteration of a loop ends with fetching lines.

    They are the lines of the parameter `data` at the `places` that follow from what the axes of the
    block are, the innermost in the loop, in its first iteration there.
    """
    function = sch.mod["main"]
    buffer = parameter(function, data)

    variable = sch.get(loop).loop_var

    def ended(found: Any, _around: Any) -> Any:
        if not found.loop_var.same_as(variable):
            return None
        made = places(_first_iteration(found.body, block))
        ending = [fetch(buffer, place, when) for place in made]
        return with_body(found, tirx.SeqStmt([found.body, *ending]))

    return function.with_body(loops_changed(function.body, ended))


def fetch(buffer: Any, place: list[Any], when: int = SOON) -> Any:
    """The statement that fetches the line of a place of a buffer."""
    address = tirx.address_of(tirx.BufferLoad(buffer, place))
    return tirx.Evaluate(tirx.call_intrin("void", "tirx.prefetch", address, READ, when, DATA))


def parameter(function: PrimFunc, name: str) -> Any:
    """The buffer that a function takes under that name."""
    (buffer,) = (one for one in function.params if one.name == name)
    return buffer


def count(loops: Iterable[Any]) -> Any:
    """How many iterations of a nest came before."""
    before: Any = 0
    for loop in loops:
        before = before * int(loop.extent) + loop.loop_var
    return before


def _first_iteration(body: Any, block: str) -> list[Any]:
    """What the axes of a block are in the first iteration of all loops around it in `body`."""
    inner: dict[Any, Any] = {}
    while not isinstance(body, s_tir.SBlockRealize):
        if isinstance(body, tirx.SeqStmt):
            body = body.seq[-1]
        else:
            inner[body.loop_var] = tirx.IntImm("int32", 0)
            body = body.body
    if body.block.name_hint != block:
        raise ValueError(f"the steps end with {body.block.name_hint}, not {block}")
    values = [PrimFunc(list(inner), tirx.Evaluate(value)) for value in body.iter_values]
    return [value.specialize(inner).body.value for value in values]


def without_fetches(function: PrimFunc) -> PrimFunc:
    """A scheduled function that fetches nothing ahead, nor for later kernels."""
    return function.with_body(_without(function.body))


def _without(stmt: Any) -> Any:
    if isinstance(stmt, tirx.For):
        own = {key: value for key, value in stmt.annotations.items() if key != MARK}
        return with_body(stmt, _without(stmt.body), own)
    if isinstance(stmt, tirx.SeqStmt):
        kept = [_without(one) for one in stmt.seq if not isinstance(one, tirx.Evaluate)]
        return kept[0] if len(kept) == 1 else tirx.SeqStmt(kept)
    if isinstance(stmt, tirx.AttrStmt):
        return tirx.AttrStmt(stmt.node, stmt.attr_key, stmt.value, _without(stmt.body))
    if isinstance(stmt, tirx.IfThenElse):
        other = None if stmt.else_case is None else _without(stmt.else_case)
        return tirx.IfThenElse(stmt.condition, _without(stmt.then_case), other)
    if isinstance(stmt, s_tir.SBlockRealize):
        return within_block(stmt, _without(stmt.block.body))
    return stmt
