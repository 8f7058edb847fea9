"""Tensors that are held at the same time lie apart, in little more memory than they need."""

import itertools
import random

import pytest

from pipeline.passes.plan_memory import Held, planned
from schedules.cpu.phases import PAGE, rounded


def test_tensors_of_a_chain_take_turns() -> None:
    chain = [Held(3 * PAGE, 0, 1), Held(PAGE, 1, 2), Held(2 * PAGE, 2, 3)]
    assert planned(chain, []) == ([PAGE, 0, PAGE], 4 * PAGE)


def test_tensors_lie_around_the_middle_of_their_place() -> None:
    chain = [Held(9 * PAGE, 0, 1), Held(4 * PAGE, 1, 2), Held(3 * PAGE, 2, 3), Held(1, 3, 4)]
    assert planned(chain, []) == ([4 * PAGE, 0, 7 * PAGE, PAGE], 13 * PAGE)


def test_what_kernels_keep_to_themselves_lies_in_the_same_place() -> None:
    within = [Held(100, 0, 0), Held(PAGE + 1, 1, 1), Held(100, 1, 1)]
    offsets, size = planned([Held(10, 0, 1)], within)
    assert offsets == [PAGE, 2 * PAGE, 2 * PAGE, 0]
    assert size == 4 * PAGE


def test_of_what_a_kernel_keeps_all_but_the_largest_lie_where_others_leave_room() -> None:
    between = [Held(4 * PAGE, 0, 1), Held(2 * PAGE, 2, 3)]
    within = [Held(2 * PAGE, 1, 1), Held(PAGE, 2, 2), Held(3 * PAGE, 2, 2)]
    offsets, size = planned(between, within)
    assert offsets == [4 * PAGE, 5 * PAGE, 0, 3 * PAGE, 0]
    assert size == 8 * PAGE


def test_places_are_taken_by_those_that_use_them_soonest() -> None:
    late, soon = Held(3 * PAGE, 8, 9), Held(3 * PAGE, 4, 9)
    offsets, _ = planned([late, soon, Held(PAGE, 0, 1), Held(PAGE, 1, 2)], [])
    assert offsets == [3 * PAGE, 0, PAGE, 4 * PAGE]


def test_a_small_place_lies_between_two_large_ones() -> None:
    sizes = [PAGE, 8 * PAGE, 2 * PAGE, 4 * PAGE, 5 * PAGE]
    offsets, _ = planned([Held(size, 0, 1) for size in sizes], [])
    in_order = [sizes[number] for number in sorted(range(5), key=offsets.__getitem__)]
    assert in_order == [4 * PAGE, PAGE, 5 * PAGE, 2 * PAGE, 8 * PAGE]


@pytest.mark.parametrize("seed", range(20))
def test_tensors_that_meet_do_not_overlap(seed: int) -> None:
    print(f"seed {seed}")
    source = random.Random(seed)
    calls = range(12)
    between = [_held(source, source.choice(calls), source.randrange(4)) for _ in range(15)]
    within = [_held(source, call, 0) for call in calls for _ in range(source.randrange(3))]
    offsets, size = planned(between, within)
    placed = list(zip(offsets, [*between, *within], strict=True))
    assert all(offset % PAGE == 0 and offset + one.bytes <= size for offset, one in placed)
    for (at, one), (other_at, other) in itertools.combinations(placed, 2):
        if one.meets(other):
            assert at + one.bytes <= other_at or other_at + other.bytes <= at
    together = max(
        sum(rounded(one.bytes) for _, one in placed if one.first <= call <= one.last)
        for call in calls
    )
    assert together <= size <= sum(rounded(one.bytes) for _, one in placed)


def _held(source: random.Random, first: int, calls: int) -> Held:
    return Held(source.randrange(1, 5 * PAGE), first, first + calls)
