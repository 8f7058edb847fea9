"""Tiles by hand give way where the compiler keeps their sums on the stack."""

from pipeline.analysis.code import Code, code_in, code_of
from pipeline.analysis.counts import Counts
from pipeline.build import build, by_hand
from pipeline.models import InputSpec, load
from pipeline.records import Records
from pipeline.spills import without_spills
from pipeline.targets import Target, target_named
from pipeline.tile_fields import kernel_fields
from pipeline.tune.cpu_subject import CpuSubject
from pipeline.tune.stage_space import StageSpace
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.kernel import Kernel
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.tiles import KernelTile, hand_tile
from schedules.frame import Frame
from tests.schedules.layers import alone


def test_a_tile_that_spills_gives_way_to_the_next_that_does_not() -> None:
    """Of 100 channels the last vector of 8 overlaps, and loads are not where they are elsewhere."""
    target = target_named("cortex-a76", dtype="float16")
    kernel = spilling(target)
    tile = hand_tile(kernel, target.machine)
    assert spills(kernel, tile, target) > 0
    assert spills(kernel, without_spills(kernel, tile, target), target) == 0


def test_tuning_begins_with_the_tile_that_is_compiled() -> None:
    target = target_named("cortex-a76", dtype="float16")
    kernel = spilling(target)
    raw = StageSpace(kernel, target.machine)
    stage = CpuSubject(kernel, target).space()
    assert stage.hand in raw.tiles
    assert stage.hand != raw.hand
    compiled = kernel_fields(kernel, by_hand(kernel, target))
    assert CpuSubject(kernel, target, ((raw.hand,),)).space().hand == compiled
    assert stage.hand == {key: compiled["stages"][0][key] for key in stage.hand}


def spilling(target: Target) -> Kernel:
    """An operator whose first tile by hand uses the stack."""
    source, made = Frame(1, 14, 14, 100, 1, dtype="float16"), Frame(1, 14, 14, 100, dtype="float16")
    return alone(Depthwise(source, made, 1, target.machine.lanes))


def test_no_kernel_of_a_network_spills_vectors() -> None:
    """In order, and with registers of which half serve multiply-adds by a lane.

    What Relax tells the compiler of a network's functions is not what it is told of one alone.
    """
    target = target_named("cortex-a55", dtype="float16")
    model, records = load("shufflenet-0.25x-g3", InputSpec(64, 64)), Records(target.family, {})
    made = build(model, target, records)
    hand = {kernel: hand_tile(kernel, target.machine) for kernel in made.served}
    codes = (code_of(scheduled(k, tile.stages, tile.sharing), target) for k, tile in hand.items())
    assert any(loop.vector_spills for code in codes for loop in innermost(code))
    (library,) = made.executable.mod.imports
    loops = innermost(code_in(library.inspect_source("asm"), target))
    assert sum(loop.vector_spills for loop in loops) == 0


def spills(kernel: Kernel, tile: KernelTile, target: Target) -> int:
    """Accesses to the stack, also for addresses, in the loops of a kernel alone."""
    code = code_of(scheduled(kernel, tile.stages, tile.sharing), target)
    return sum(loop.spills for loop in innermost(code))


def innermost(code: Code) -> list[Counts]:
    """The innermost loops of multiply-adds."""
    within = [n for n, loop in enumerate(code.loops) if loop.innermost]
    loops = [code.counts[n] for n in within if code.counts[n].macs]
    assert loops
    return loops
