"""Memory is asked to be in huge pages once, ends up there, and keeps what it holds."""

import ctypes
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
import tvm_ffi
from tvm import IRModule, tirx
from tvm.tirx import PrimFunc

from pipeline.targets import host
from schedules.cpu.huge_pages import COLLAPSE, HUGE_PAGE, asking_once

BYTES = 3 * HUGE_PAGE + 12345


def _function() -> Any:
    """Asks for a buffer, whose last byte is the note, and does nothing else."""
    buffer = tirx.decl_buffer((BYTES + 1,), "uint8", name="buffer")
    asking = asking_once((buffer, BYTES), [(buffer, BYTES)])
    function = PrimFunc([buffer], asking).with_attr("global_symbol", "main")
    module = IRModule({"main": function.with_attr("s_tir", True)})
    return tvm.compile(module, target=host().tvm)["main"]


def _memory() -> mmap.mmap:
    """More than enough for all of it."""
    return mmap.mmap(-1, 5 * HUGE_PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def _bytes_in(memory: mmap.mmap) -> Any:
    """Random bytes in the middle of a page of some memory, and a note that is zero."""
    random = np.random.default_rng(7)
    array = np.frombuffer(memory, np.uint8)[64 : 64 + BYTES + 1]
    array[:-1] = random.integers(0, 256, BYTES, np.uint8)
    array[-1] = 0
    return array


def _huge_kilobytes(array: Any) -> int:
    """How much of the memory around an array is in huge pages."""
    huge, within = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split()
        if "-" in first:
            begin, end = (int(place, 16) for place in first.split("-"))
            within = begin < array.ctypes.data + array.size and array.ctypes.data < end
        elif first == "AnonHugePages:" and within:
            huge += int(rest[0])
    return huge


def _can_collapse() -> bool:
    """Whether this system makes huge pages of what is asked for."""
    libc = ctypes.CDLL(None)
    memory = _memory()
    array = np.frombuffer(memory, np.uint8)
    first = ctypes.c_void_p(-(-array.ctypes.data // HUGE_PAGE) * HUGE_PAGE)
    array[:] = 1
    return libc.madvise(first, ctypes.c_size_t(HUGE_PAGE), COLLAPSE) == 0


def test_what_is_asked_for_is_noted_and_changes_no_byte() -> None:
    function, array = _function(), _bytes_in(_memory())
    before = array.copy()
    function(tvm_ffi.from_dlpack(array))
    assert array[-1] == 1
    assert np.array_equal(array[:-1], before[:-1])


def test_all_of_it_is_in_huge_pages_then() -> None:
    if not _can_collapse():
        pytest.skip("this system makes no huge pages of what is asked for")
    function, array = _function(), _bytes_in(_memory())
    assert _huge_kilobytes(array) < BYTES // 1024
    function(tvm_ffi.from_dlpack(array))
    assert _huge_kilobytes(array) >= BYTES // 1024


def test_what_was_asked_for_is_not_again() -> None:
    function, array = _function(), _bytes_in(_memory())
    array[-1] = 1
    before = _huge_kilobytes(array)
    function(tvm_ffi.from_dlpack(array))
    assert _huge_kilobytes(array) == before
