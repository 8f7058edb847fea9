"""What a kernel reads has been fetched before, where those before it have the time."""

import random
from dataclasses import replace

import pytest

from pipeline.passes.plan_fetches import Fetcher, fetches, halves, most_ahead
from schedules.machine import LINE
from tests.schedules.running import AVX512

# The last reads more than the one before it has the time to fetch.
LATE = [
    Fetcher("a", 0, 90 * LINE),
    Fetcher("b", 10 * LINE, 30 * LINE),
    Fetcher("c", 20 * LINE, 30 * LINE),
    Fetcher("d", 90 * LINE, 0),
]


def test_each_fetches_what_the_next_reads() -> None:
    calls = [
        Fetcher("a", LINE, 9 * LINE),
        Fetcher("b", 3 * LINE, 9 * LINE),
        Fetcher("c", 7 * LINE, 0),
    ]
    plan = fetches(calls)
    assert plan.begins == [LINE, 3 * LINE, 7 * LINE]
    assert plan.sizes == {"a": 2 * LINE, "b": 4 * LINE, "c": 0}


def test_what_one_has_no_time_for_those_before_it_fetch() -> None:
    plan = fetches(LATE)
    assert plan.sizes == {"a": 30 * LINE, "b": 30 * LINE, "c": 30 * LINE, "d": 0}
    assert plan.begins == [0, 30 * LINE, 60 * LINE, 90 * LINE]


def test_a_function_fetches_the_same_wherever_it_is_called() -> None:
    calls = [Fetcher("a", at * LINE, 20 * LINE) for at in range(1, 5)]
    plan = fetches([*calls, Fetcher("b", 40 * LINE, 0)])
    assert plan.sizes == {"a": 10 * LINE, "b": 0}
    assert plan.begins == [at * LINE for at in (1, 11, 21, 30, 40)]


def test_no_more_is_fetched_than_so_far_ahead() -> None:
    plan = fetches(LATE, 15 * LINE)
    assert plan.begins == [0, 10 * LINE, 20 * LINE, 90 * LINE]
    assert plan.sizes == {"a": 10 * LINE, "b": 10 * LINE, "c": 15 * LINE, "d": 0}
    # Less than the next one reads: what it reads itself it does not fetch.
    plan = fetches(LATE, 5 * LINE)
    assert plan.begins == [0, 10 * LINE, 20 * LINE, 90 * LINE]
    assert plan.sizes == {"a": 5 * LINE, "b": 5 * LINE, "c": 5 * LINE, "d": 0}
    assert fetches(LATE, 90 * LINE) == fetches(LATE)


def test_only_large_caches_have_a_limit() -> None:
    assert most_ahead(replace(AVX512, l2_bytes=2**21)) == 2**20
    assert most_ahead(replace(AVX512, l2_bytes=2**20)) is None


def test_without_time_nothing_is_fetched() -> None:
    plan = fetches([Fetcher("a", LINE, 0), Fetcher("a", 5 * LINE, 0)])
    assert plan.sizes == {"a": 0}


@pytest.mark.parametrize("seed", range(20))
def test_all_is_fetched_before_it_is_read(seed: int) -> None:
    print(f"seed {seed}")
    source = random.Random(seed)
    reads = sorted(source.randrange(1000) * LINE for _ in range(12))
    # Each has time for what the next one reads, and some for more.
    calls = [
        Fetcher(at, read, after - read + source.randrange(3) * LINE)
        for at, (read, after) in enumerate(zip(reads, [*reads[1:], reads[-1]], strict=True))
    ]
    plan = fetches(calls)
    done = {byte // LINE for byte in range(0, reads[0], LINE)}
    for call, begin, after in zip(calls, plan.begins, [*reads[1:], reads[-1]], strict=True):
        size = plan.sizes[call.function]
        assert size <= call.room
        assert begin + size <= reads[-1]
        done |= {byte // LINE for byte in range(begin, begin + size, LINE)}
        assert done >= set(range(after // LINE))


def test_the_halves_of_a_call_follow_each_other() -> None:
    assert halves(3 * LINE, 8 * LINE, []) == (3 * LINE, 4 * LINE)
    assert halves(3 * LINE, 8 * LINE, [range(11 * LINE, 20 * LINE)]) == (3 * LINE, 4 * LINE)


def test_of_what_is_read_apart_calls_fetch_both_halves_at_once() -> None:
    apart = range(10 * LINE, 50 * LINE)
    fetched = {byte: [0, 0] for byte in range(0, 50 * LINE, LINE)}
    for begin in range(10 * LINE, 50 * LINE, 8 * LINE):
        first, after = halves(begin, 8 * LINE, [apart])
        for half in range(2):
            own = first + half * after
            for byte in range(own, own + 4 * LINE, LINE):
                fetched[byte][half] += 1
    middle = 30 * LINE
    assert all(
        seen == ([0, 0] if byte not in apart else [1, 0] if byte < middle else [0, 1])
        for byte, seen in fetched.items()
    )
