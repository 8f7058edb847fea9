"""The machine code of a tile keeps its sums where they belong, and does nothing but its work."""

import re
from collections.abc import Iterator

import pytest
from tvm.tirx import PrimFunc

from pipeline.analysis.code import code_of
from pipeline.analysis.counts import Counts
from pipeline.compiling import compile_function
from pipeline.targets import Target, host, target_named
from schedules.cpu.depthwise import Depthwise
from schedules.cpu.first_convolution_paired import PairedFirstConvolution
from schedules.cpu.first_convolution_paired import Tile as PairedTile
from schedules.cpu.kernel_function import scheduled
from schedules.cpu.operators import operator
from schedules.cpu.pointwise import Pointwise, Tile, tiles_that_fit
from schedules.cpu.pointwise_lanes import PointwiseLanes
from schedules.cpu.prefetch import without_fetches
from schedules.frame import Frame, Planes
from schedules.machine import Machine
from tests.schedules import layers
from tests.schedules.layers import alone
from tests.schedules.running import AVX2

HASWELL = Target("host", "x86_64-linux-gnu", "haswell", ("avx2", "fma"), AVX2)
# Counting, comparing and branching; an address or two where there are many streams of weights.
LOOP_CONTROL = 8
# In order and out of order, one multiply-add a cycle and more, and float16 where there is that.
ARM_CORES = [
    ("cortex-a53", "float32"), ("cortex-a72", "float32"), ("cortex-a76", "float32"),
    ("cortex-a76", "float16"), ("neoverse-n1", "float32"), ("apple-m1", "float16"),
]  # fmt: skip


def test_sums_are_not_kept_in_memory_of_the_runtime() -> None:
    """14 columns in tiles of 5: the last tile is another loop, which needs the registers too."""
    lanes = host().machine.lanes
    source, target = Frame(1, 14, 14, 160), Frame(1, 14, 14, 5 * lanes)
    kernel = alone(Pointwise(source, target, 1, 160, 5 * lanes, lanes))
    library = compile_function(scheduled(kernel, [Tile(7, 5, 5)], "strips"), host())
    code = library.mod.inspect_source("ll")
    assert "_phase0(" in code
    assert "load ptr, ptr @__TVMBackendAllocWorkspace" not in code


@pytest.mark.parametrize("inputs", [40, 80, 50, 67])
@pytest.mark.parametrize("groups", [2, 3, 4, 8])
def test_a_shuffle_leaves_no_instruction_in_the_loop(groups: int, inputs: int) -> None:
    source, target = Frame(1, 4, 12, groups * inputs), Frame(1, 4, 12, groups * 40)
    work = Pointwise(source, target, groups, inputs, 40, AVX2.lanes, shuffle=groups)
    loops = list(_loops_of_multiply_adds(work, Tile(4, 2, 5)))
    assert loops
    for loop in loops:
        assert sum(not one.startswith("v") for one in loop) <= LOOP_CONTROL


@pytest.mark.parametrize("shuffle", [1, 3])
def test_no_tile_that_fits_spills(shuffle: int) -> None:
    source, target = Frame(1, 2, 28, 3 * 240), Frame(1, 2, 28, 3 * 48)
    work = Pointwise(source, target, 3, 240, 48, AVX2.lanes, shuffle=shuffle)
    for columns, vectors in tiles_that_fit(work, AVX2):
        loops = list(_loops_of_multiply_adds(work, Tile(2, columns, vectors)))
        assert loops
        for loop in loops:
            assert not any("(%rsp)" in one and "ymm" in one for one in loop), (columns, vectors)


@pytest.mark.parametrize(("side", "inputs", "outputs"), [(28, 20, 80), (7, 80, 320)])
def test_an_expansion_of_level_4_does_not_spill(side: int, inputs: int, outputs: int) -> None:
    """25 sums, 5 factors and a broadcast are 31 of 32 registers; a turn is the 3 steps of the
    shuffle."""
    target = target_named("x86-64-v4")
    lanes = target.machine.lanes
    source, wide = Frame(1, side, side, 3 * inputs), Frame(1, side, side, 3 * outputs)
    work = Pointwise(source, wide, 3, inputs, outputs, lanes, shuffle=3, residual=wide)
    counts = _innermost(scheduled(alone(work), [Tile(side, 5, 5)], "strips"), target)
    (turn,) = [count for count in counts if count.multiplies == 75]
    assert turn.spills == 0


@pytest.mark.parametrize("pooled", [False, True])
def test_a_paired_first_convolution_keeps_its_sums_in_registers(pooled: bool) -> None:
    target = target_named("x86-64-v4")
    image, made = Planes(1, 3, 224, 224), Frame(1, 112, 56 if pooled else 112, 24)
    work = PairedFirstConvolution(image, made, 2, 8, columns=4, pooled=pooled)
    counts = _innermost(scheduled(alone(work), [PairedTile(2)], "strips"), target)
    # What each of 2 x 4 pixels has of its own: 4 multiply-adds of 3 vectors in every plane.
    # What pixels have in common is a loop as well, or is unrolled by the compiler.
    assert 2 * 4 * 4 * 3 in [count.multiplies for count in counts]
    assert all(count.spills == 0 for count in counts)


def test_vectors_of_a_paired_first_convolution_lie_in_whole_lines() -> None:
    """Its stack is aligned to its vectors, of 32 bytes, whatever the caller's is."""
    image, made = Planes(1, 3, 224, 224), Frame(1, 112, 56, 24)
    work = PairedFirstConvolution(image, made, 2, 8, columns=4, pooled=True)
    function = scheduled(alone(work), [PairedTile(2)], "strips")
    code = compile_function(function, target_named("x86-64-v4")).mod.inspect_source("asm")
    assert re.search(r"andq\s+\$-32, %rsp", code)
    assert re.search(r"vmovaps\s+-?\d*\(%rsp\), %ymm", code)
    assert not re.search(r"vmovups\s+-?\d*\(%rsp\), %ymm", code)


def test_vectors_of_any_kernel_lie_in_whole_lines() -> None:
    """A unit of which the compiler keeps some on the stack, of 64 bytes."""
    target = target_named("x86-64-v4")
    kernel = layers.unit((6, 40, 20, 3, 80), target.machine, border=0)
    tiles = [operator(one.work).hand_tiles(one.work, target.machine, 1)[0] for one in kernel.stages]
    code = compile_function(scheduled(kernel, tiles, "strips"), target).mod.inspect_source("asm")
    assert re.search(r"andq\s+\$-64, %rsp", code)
    assert re.search(r"vmovaps\s+-?\d*\(%rsp\), %zmm", code)
    assert not re.search(r"vmovups\s+-?\d*\(%rsp\), %zmm", code)


@pytest.mark.parametrize(("core", "dtype"), ARM_CORES)
def test_tiles_by_hand_for_arm_do_not_spill(core: str, dtype: str) -> None:
    target = target_named(core, dtype=dtype)
    for work in _layers_on_arm(target.machine, dtype):
        tile = operator(work).hand_tiles(work, target.machine, 2)[0]
        counts = _innermost(scheduled(alone(work), [tile], "strips"), target)
        assert counts, work
        assert all(count.spills == 0 for count in counts), (work, tile)


def _innermost(function: PrimFunc, target: Target) -> list[Counts]:
    """What the innermost loops of multiply-adds have."""
    code = code_of(function, target)
    innermost = [n for n, loop in enumerate(code.loops) if loop.innermost]
    return [code.counts[n] for n in innermost if code.counts[n].multiplies]


def _layers_on_arm(machine: Machine, dtype: str) -> Iterator[PointwiseLanes | Depthwise]:
    """Layers like those of ShuffleNet 1.0x with 3 groups, in whole vectors."""
    for side, inputs, outputs in [(28, 80, 20), (14, 40, 160), (14, 160, 40), (7, 320, 80)]:
        lanes = machine.lanes_for(outputs)
        made = outputs // lanes * lanes
        source = Frame(1, side, side, 3 * inputs, dtype=dtype)
        target = Frame(1, side, side, 3 * made, dtype=dtype)
        yield PointwiseLanes(source, target, 3, inputs, made, lanes, spread=3)
    for side, stride in [(28, 1), (28, 2), (14, 1), (14, 2), (7, 1)]:
        source = Frame(1, side * stride, side * stride, 6 * machine.lanes, dtype=dtype)
        target = Frame(1, side, side, 6 * machine.lanes, dtype=dtype)
        yield Depthwise(source, target, stride, machine.lanes)


def _loops_of_multiply_adds(work: Pointwise, tile: Tile) -> Iterator[list[str]]:
    """The instructions of every innermost loop over input channels, for AVX2.

    A loop over few of them the compiler unrolls wholly; what is then the innermost ends with ReLUs.
    """
    function = without_fetches(scheduled(alone(work), [tile], "strips"))
    lines = str(compile_function(function, HASWELL).mod.inspect_source("asm")).splitlines()
    begins: dict[str, int] = {}
    for at, line in enumerate(lines):
        if label := re.match(r"(\.LBB\w+):", line):
            begins[label[1]] = at
        back = re.match(r"\s+j\w+\s+(\.LBB\w+)", line)
        if back is None or back[1] not in begins:
            continue
        body = [one.strip() for one in lines[begins.pop(back[1]) + 1 : at + 1]]
        instructions = [one for one in body if one and not one.startswith((".", "#"))]
        if any(".LBB" in one or one.startswith("vmaxps") for one in instructions[:-1]):
            continue
        if any(one.startswith("vfmadd") for one in instructions):
            yield instructions
