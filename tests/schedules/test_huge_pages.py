"""Memory is asked to be in huge pages once, ends up there, and keeps what it holds."""

import ctypes
import mmap
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
import tvm_ffi
from tvm import IRModule, tirx
from tvm.tirx import PrimFunc

from pipeline.targets import host
from schedules.cpu.huge_pages import (
    ADDED,
    COLLAPSE,
    FEWEST_BYTES,
    HUGE,
    HUGE_PAGE,
    asking_once,
    filling,
)

BYTES = 3 * HUGE_PAGE + 12345


def _function() -> Any:
    """Asks for a buffer, whose last byte is the note, and does nothing else."""
    buffer = tirx.decl_buffer((BYTES + 1,), "uint8", name="buffer")
    asking = asking_once((buffer, BYTES), [(buffer, BYTES)])
    function = PrimFunc([buffer], asking).with_attr("global_symbol", "main")
    module = IRModule({"main": function.with_attr("s_tir", True)})
    return tvm.compile(module, target=host().tvm)["main"]


def _memory() -> Any:
    """More than enough bytes, which begin with a huge page but are in none yet, whatever this
    system does by itself."""
    memory = mmap.mmap(-1, 5 * HUGE_PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    array = np.frombuffer(memory, np.uint8)
    return array[-array.ctypes.data % HUGE_PAGE :]


def _bytes() -> Any:
    """Random bytes from within a page on, and a note that is zero."""
    random = np.random.default_rng(7)
    array = _memory()[64 : 64 + BYTES + 1]
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


@pytest.fixture
def huge_pages() -> None:
    """Tests that look at pages are skipped where the system makes none huge that is asked to."""
    libc, array = ctypes.CDLL(None), _memory()
    array[:HUGE_PAGE] = 1
    first, size = ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(HUGE_PAGE)
    libc.madvise(first, size, HUGE)
    if libc.madvise(first, size, COLLAPSE):
        # Whether they are is a setting of the system, and to ask for it takes Linux 6.1.
        pytest.skip("this system makes no huge pages of what is asked for")


def test_what_is_asked_for_is_noted_and_changes_no_byte() -> None:
    function, array = _function(), _bytes()
    before = array.copy()
    function(tvm_ffi.from_dlpack(array))
    assert array[-1] == 1
    assert np.array_equal(array[:-1], before[:-1])


@pytest.mark.usefixtures("huge_pages")
def test_all_of_it_is_in_huge_pages_then() -> None:
    function, array = _function(), _bytes()
    assert _huge_kilobytes(array) == 0
    function(tvm_ffi.from_dlpack(array))
    assert _huge_kilobytes(array) >= BYTES // 1024


@pytest.mark.usefixtures("huge_pages")
def test_what_was_asked_for_is_not_again() -> None:
    function, array = _function(), _bytes()
    array[-1] = 1
    function(tvm_ffi.from_dlpack(array))
    assert _huge_kilobytes(array) == 0


@pytest.mark.parametrize("pages", [1, 2, 9])
def test_a_piece_fills_huge_pages_with_what_malloc_adds(pages: int) -> None:
    most = pages * HUGE_PAGE - ADDED
    assert filling(most) == most
    assert filling(most - HUGE_PAGE // 2 + ADDED) == most
    assert filling(most + 1) == most + HUGE_PAGE


def test_what_is_not_asked_for_stays_as_large_as_it_is() -> None:
    assert filling(FEWEST_BYTES - 1) == FEWEST_BYTES - 1
    assert filling(FEWEST_BYTES) == HUGE_PAGE - ADDED


# Makes a tensor as those of constants are made, and tells where its memory begins.
BEGINNING = """
import sys
import numpy as np
import tvm

print(np.from_dlpack(tvm.runtime.empty((int(sys.argv[1]),), "uint8")).ctypes.data)
"""


def test_such_a_piece_begins_with_a_huge_page() -> None:
    kernel = re.match(r"(\d+)\.(\d+)", platform.release())
    if platform.machine() != "x86_64" or not kernel or tuple(map(int, kernel.groups())) < (6, 7):
        # What Linux does since then, and of what size, which is that of x86-64 here.
        pytest.skip("memory of whole huge pages begins anywhere before Linux 6.7")
    for pages in (1, 4):
        size = filling(pages * HUGE_PAGE - HUGE_PAGE // 3)
        command = [sys.executable, "-c", BEGINNING, str(size)]
        # However large the memory was that the process gave back before.
        settings = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(FEWEST_BYTES)}
        said = subprocess.run(command, env=settings, check=True, capture_output=True, text=True)
        assert int(said.stdout) % HUGE_PAGE < ADDED
