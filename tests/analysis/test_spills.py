"""Tiles by hand give way where the compiler keeps their sums on the stack."""

from pipeline.analysis.code import code_of
from pipeline.build import lower, serve
from pipeline.models import InputSpec, load
from pipeline.records import Records
from pipeline.spills import without_spills
from pipeline.targets import Target, target_named
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.kernel import Kernel, scheduled
from schedules.cpu.tiles import KernelTile, hand_tile
from schedules.frame import Frame
from tests.schedules.layers import alone


def test_a_tile_that_spills_gives_way_to_the_next_that_does_not() -> None:
    """Of 100 channels the last vector of 8 overlaps, and loads are not where they are elsewhere."""
    target = target_named("cortex-a76", dtype="float16")
    source, made = Frame(1, 14, 14, 100, 1, dtype="float16"), Frame(1, 14, 14, 100, dtype="float16")
    kernel = alone(Depthwise(source, made, 1, target.machine.lanes))
    tile = hand_tile(kernel, target.machine)
    assert spills(kernel, tile, target) > 0
    assert spills(kernel, without_spills(kernel, tile, target), target) == 0


def test_no_kernel_of_a_network_spills() -> None:
    """In order, and with registers of which half serve multiply-adds by a lane."""
    target = target_named("cortex-a55", dtype="float16")
    lowered = lower(load("mobilenet-0.25", InputSpec(64, 64)), target)
    records = Records(target.family, {})
    by_hand = [spills(k, hand_tile(k, target.machine), target) for k in lowered.kernels]
    served = [spills(k, serve(k, target, records).tile, target) for k in lowered.kernels]
    assert any(by_hand)
    assert not any(served)


def spills(kernel: Kernel, tile: KernelTile, target: Target) -> int:
    """Accesses to the stack in the innermost loops of multiply-adds."""
    code = code_of(scheduled(kernel, tile.stages, tile.merged), target)
    innermost = [n for n, loop in enumerate(code.loops) if loop.innermost]
    return sum(code.counts[n].spills for n in innermost if code.counts[n].macs)
