"""Tiles compete in whole networks: the faster one wins, if it leads clearly."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from pipeline.build import Lowered, lower
from pipeline.models import InputSpec, load
from pipeline.records import Record, canonical, describe_kernel
from pipeline.targets import host
from pipeline.tile_fields import TileFields, kernel_fields
from pipeline.tune.entries import Candidate, Final, Outcome, Trial
from pipeline.tune.in_network import (
    COMPETITORS,
    LEAD,
    NEAR,
    PROCESSES,
    Networks,
    competitors,
    decided_on,
    leader,
)
from pipeline.tune.kernel_search import KernelSearch
from pipeline.tune.kernel_space import KernelSpace
from schedules.cpu.kernel import Kernel
from schedules.cpu.operators import operator
from schedules.cpu.tiles import KernelTile, hand_tile

SECONDS = 0.3


@pytest.fixture(scope="module")
def network() -> Lowered:
    return lower(load("shufflenet-0.25x-g1", InputSpec(64, 64)), host())


def by_hand(kernel: Kernel) -> TileFields:
    return kernel_fields(kernel, hand_tile(kernel, host().machine))


def slow(kernel: Kernel) -> TileFields:
    """With the tile of each stage that a count of cycles finds the slowest."""
    hand = hand_tile(kernel, host().machine)
    stages = tuple(
        operator(stage.work).hand_tiles(stage.work, host().machine, tile.strip_rows)[-1]
        for stage, tile in zip(kernel.stages, hand.stages, strict=True)
    )
    return kernel_fields(kernel, KernelTile(hand.strip_rows, hand.sharing, stages))


def test_the_faster_tiles_win_in_whichever_order(network: Lowered) -> None:
    kernels = {canonical(describe_kernel(one)): one for one in network.kernels}
    told: list[int] = []
    for places in (0, 1), (1, 0):
        tiles = {
            key: [(by_hand, slow)[place](kernel) for place in places]
            for key, kernel in kernels.items()
        }
        found = Networks([network], host(), (1,), SECONDS).fastest(tiles, told.append)
        assert set(found) == set(kernels)
        right = sum(kernels[key].macs for key, place in found.items() if places[place] == 0)
        assert right > 0.8 * sum(kernel.macs for kernel in kernels.values())
    assert told == [0, 0]


class Known(Networks):
    """Networks of which every kernel takes one per cent less with its second tile."""

    def _seconds(self, lowered: Lowered, _: object) -> Iterator[np.ndarray]:
        calls = len(lowered.calls)
        one = np.array([[1.0] * calls, [0.99] * calls])
        yield from [np.stack([one] * PROCESSES)] * len(self.threads)


def test_a_lead_counts_in_the_networks_that_have_the_kernel(network: Lowered) -> None:
    others = [lower(load("mobilenet-0.25", InputSpec(64, 64)), host())] * 5
    kernels = {one for each in (network, *others) for one in each.kernels}
    tiles = {canonical(describe_kernel(one)): [by_hand(one)] * 2 for one in kernels}
    found = Known([network, *others], host(), (2, 1), SECONDS).fastest(tiles, lambda _: None)
    assert found == dict.fromkeys(tiles, 1)


def test_the_first_stays_unless_another_leads_clearly() -> None:
    clear, unclear = np.log(LEAD) * 1.1, np.log(LEAD) * 0.9
    assert leader(np.array([[0.0, -unclear, 1.0]] * PROCESSES)) == 0
    assert leader(np.array([[0.0, -unclear, -clear]] * PROCESSES)) == 2


def test_the_first_stays_unless_another_leads_in_every_process() -> None:
    assert leader(np.array([[0.0, -0.1], [0.0, -0.1], [0.0, -0.01]])) == 1
    assert leader(np.array([[0.0, -0.1], [0.0, -0.1], [0.0, 0.01]])) == 0


def test_who_competes_is_near_to_the_fastest_alone_or_recorded(network: Lowered) -> None:
    """The winner comes first, and the hand tile takes part though others are faster; a tile that
    was recorded has won in networks, and takes part however slow it is alone."""
    kernel = network.kernels[0]
    hand = by_hand(kernel)
    recorded = slow(kernel)
    space = KernelSpace(kernel, host().machine, ((hand["stages"][0],),))
    search = KernelSearch(space, [(recorded, "record")])
    tiles = [{**hand, "strip_rows": -rows} for rows in range(COMPETITORS + 2)]
    seconds = [1.0 + 0.001 * number for number in range(COMPETITORS + 1)] + [NEAR * 1.01]
    for number, (tile, taken) in enumerate(zip(tiles, seconds, strict=True)):
        search.add(Trial(Candidate(number, 0, "task", tile, "model"), Outcome(taken)))
    final = Final("task", len(tiles), tiles[1], seconds[1], None)
    order = [tiles[1], tiles[0], *tiles[2:COMPETITORS]]
    assert competitors(final, search, None) == order
    search.add(Trial(Candidate(99, 0, "task", hand, "hand"), Outcome(NEAR * 0.99)))
    assert competitors(final, search, None) == [*order, hand]
    assert decided_on(hand, final, search) == replace(final, tile=hand, seconds=NEAR * 0.99)
    # It may be that of the fastest stages too, and is called so then.
    search.add(Trial(Candidate(100, 0, "task", recorded, "stages"), Outcome(NEAR * 1.5)))
    assert competitors(final, search, None) == [*order, hand, recorded]
    assert decided_on(tiles[1], final, search) == final


def test_what_is_on_record_has_the_first_place_measured_or_not(network: Lowered) -> None:
    kernel = network.kernels[0]
    hand, other = by_hand(kernel), slow(kernel)
    search = KernelSearch(KernelSpace(kernel, host().machine, ((hand["stages"][0],),)), [])
    search.add(Trial(Candidate(0, 0, "task", hand, "hand"), Outcome(1.0)))
    final = Final("task", 1, hand, 1.0, 1.0)
    record = Record("family", {}, other, 2.0, 1.0, 1, 0, "0.1", "cpu")
    assert competitors(final, search, record) == [other, hand]
    search.add(Trial(Candidate(1, 1, "task", other, "record"), Outcome(NEAR * 2)))
    assert competitors(final, search, record) == [other, hand]
    search.add(Trial(Candidate(2, 2, "task", other, "record"), Outcome(None, "wrong")))
    assert competitors(final, search, record) == [hand]
