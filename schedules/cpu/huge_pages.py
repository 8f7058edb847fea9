"""Asking Linux, once, to keep memory in huge pages.

    if nobody has asked: advise on constants; advise on memory; note it

What an inference reads lies on thousands of pages of 4 KB, more than a core has at hand where it
looks up the place of each in the machine's memory. On a virtual machine to find one takes two
tables, which lie in caches that others use, too. Where there are no huge pages, or none is free,
all stays as it is.

Measured on Zen 4 in a virtual machine, one thread, in processes of their own in turns: ShuffleNet
1.0x in 3 groups takes 2 % less on the mean of medians, and from one process to the next they lie
less far apart; in turns with constants only, it and MobileNet 1.0 both take 1 % less.

    constants, 7.4 MB at any page:   | small | huge  huge | small |
    filling whole huge pages, 8 MB:  | huge   huge   huge   huge |

Both ends of a piece stay in small pages where nothing else lies around it. Linux lets memory begin
with a huge page (since 6.7) if it is so many of them, which malloc asks for if a tensor is as large
as they are less what malloc adds. Measured as above: ShuffleNet 1.0x in 3 groups, 3 of whose 7 MB
of constants were in small pages, takes 0.7 % less so on the mean of eight pairs of processes, and
MobileNet 1.0, 2 of 16 MB, as long in four.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

from tvm import tirx

from schedules.machine import PAGE

# Of x86-64.
HUGE_PAGE = 2**21
# Smaller memory is not asked for.
FEWEST_BYTES = HUGE_PAGE // 2
# More than malloc adds to what is asked of it, and less than a page.
ADDED = 1024
# What is asked for, of <linux/mman.h>: that pages be huge from now on, and those there are at once.
HUGE, COLLAPSE = 14, 25


def filling(size: int) -> int:
    """The bytes of a piece of at least so many that fills huge pages, with what malloc adds; `size`
    if it is none that is asked for."""
    if size < FEWEST_BYTES:
        return size
    return ceil((size + ADDED) / HUGE_PAGE) * HUGE_PAGE - ADDED


def asking_once(noted: tuple[Any, int], pieces: Sequence[tuple[Any, int]]) -> Any:
    """The statement that asks for huge pages for pieces of memory, and notes it.

    A piece is a buffer of bytes and how many of them. It is `noted` in a byte of a buffer of bytes,
    which is zero at first.
    """
    buffer, place = noted
    nobody = tirx.BufferLoad(buffer, [place]).equal(tirx.IntImm("uint8", 0))
    note = tirx.BufferStore(buffer, tirx.IntImm("uint8", 1), [place])
    advice = [one for piece in pieces for one in _advice(*piece)]
    return tirx.IfThenElse(nobody, tirx.SeqStmt([*advice, note]), None)


def _advice(buffer: Any, size: int) -> list[Any]:
    """The calls for a piece, and for the huge pages that its ends lie on, which others are on, too.

    These are calls of their own, as they fail where not all of such a page is memory of the same
    kind; and advice on a part of one, before that on all of it, makes two kinds of it.
    """
    ends = [(_page_of(buffer, place, HUGE_PAGE), HUGE_PAGE) for place in (0, size - 1)]
    ranges = [*ends, (_page_of(buffer, 0, PAGE), size)]
    return [_advise(*one, what) for what in (HUGE, COLLAPSE) for one in ranges]


def _page_of(buffer: Any, place: int, size: int) -> Any:
    """Where the page of that size begins that a byte lies on."""
    byte = tirx.address_of(tirx.BufferLoad(buffer, [place]))
    return tirx.call_llvm_pure_intrin("handle", "llvm.ptrmask", byte, tirx.IntImm("int64", -size))


def _advise(start: Any, size: int, what: int) -> Any:
    numbers = tirx.IntImm("int64", size), tirx.IntImm("int32", what)
    return tirx.Evaluate(tirx.call_extern("int32", "madvise", start, *numbers))
