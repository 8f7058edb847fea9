"""Kernels held against what the machine allows them, with figures that are easy to divide."""

import pytest

from pipeline.profiling.profile import with_misses
from pipeline.profiling.records import Profile
from pipeline.profiling.table import describe, profile_rows
from pipeline.profiling.traffic import Tensors
from tests.page.conftest import profile

MB = 1 << 20


def with_calls(bandwidth: dict[str, float], *changes: dict[str, int]) -> Profile:
    """Calls without work but for the changes, on a machine of 100 GMAC/s."""
    made = profile("shufflenet-1.0x-g3", calls=len(changes))
    nothing = {"macs": 0, "multiplies": 0, "far_bytes": 0, "dram_bytes": 0}
    calls = [
        call.model_copy(update=nothing | change)
        for call, change in zip(made.calls, changes, strict=True)
    ]
    return made.model_copy(update={"calls": calls, "peak_gmacs": 100.0, "bandwidth": bandwidth})


def test_what_takes_longest_is_the_roof_of_a_kernel() -> None:
    work = {"macs": 100_000_000, "multiplies": 100_000_000, "far_bytes": 25_000_000}
    changes = work, work | {"far_bytes": 100_000_000}, work | {"dram_bytes": 25_000_000}, {}
    one = with_calls({"cache": 200.0, "last cache": 50.0, "DRAM": 5.0}, *changes)
    assert [one.roof_ms(call) for call in one.calls] == pytest.approx([1.0, 2.0, 5.0, 0.0])
    assert one.roofs_ms == pytest.approx(8.0)
    assert one.arithmetic_ms == pytest.approx(3.0)
    column = profile_rows(one).headings.index("roof ms")
    shown = [cells[column] for cells in profile_rows(one).cells]
    assert shown == ["1.000", "2.000", "5.000", "0.000", "8.000"]
    assert "allows 8.000 ms" in describe(one)[1]
    assert "multiply-adds alone take 3.000 ms" in describe(one)[1]
    assert "last cache 50 GB/s" in describe(one)[2]


def test_what_multiplies_once_for_several_sums_has_a_lower_roof() -> None:
    work = {"macs": 100_000_000, "multiplies": 70_000_000}
    one = with_calls({"cache": 200.0, "DRAM": 5.0}, work)
    assert one.roofs_ms == pytest.approx(0.7)
    assert one.arithmetic_ms == pytest.approx(1.0)


def test_without_a_cache_behind_the_cores_own_only_memory_counts() -> None:
    one = with_calls({"cache": 200.0, "DRAM": 5.0}, {"far_bytes": 10**9, "dram_bytes": 10**6})
    assert one.roofs_ms == pytest.approx(0.2)


def test_calls_know_what_comes_from_beyond_each_cache() -> None:
    """Two kernels with weights of 3 MB: too much for a core's own cache, not for the last one.

    A call of the library behind them brings nothing.
    """
    calls = profile("shufflenet-1.0x-g3", calls=3).calls
    tensors = [Tensors({"a": MB}, {"w": 3 * MB}, {"b": MB}), Tensors({"b": MB}, {"v": 3 * MB}, {})]
    found = with_misses(calls, tensors, 4 * MB, 64 * MB)
    assert [call.far_bytes for call in found] == [4 * MB, 3 * MB, 0]
    assert [call.dram_bytes for call in found] == [0, 0, 0]
