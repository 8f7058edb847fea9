"""From a kernel with its tile to what its machine code holds, loop by loop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tvm.tirx import PrimFunc

from pipeline.analysis.assembly import functions
from pipeline.analysis.bound import counted_cycles
from pipeline.analysis.counts import Counts, count
from pipeline.analysis.dialects import DIALECTS
from pipeline.analysis.loops import Loop, loops_of
from pipeline.analysis.mca import cycles_of
from pipeline.analysis.nests import nests_of
from pipeline.analysis.records import LoopFacts
from pipeline.analysis.runs import runs_of
from pipeline.compiling import compile_function
from pipeline.targets import Target


@dataclass(frozen=True)
class Code:
    """The loops of a compiled function in order, with what a turn of each holds."""

    loops: tuple[Loop, ...]
    counts: tuple[Counts, ...]


def code_of(function: PrimFunc, target: Target) -> Code:
    """Compile a scheduled function and find its loops."""
    library = compile_function(function.with_attr("global_symbol", "kernel"), target)
    return code_in(library.mod.inspect_source("asm"), target)


def code_in(text: str, target: Target) -> Code:
    """The loops in the compiler's assembly."""
    dialect = DIALECTS[target.architecture]
    loops: list[Loop] = []
    for blocks in functions(text, dialect).values():
        start = len(loops)
        for loop in loops_of(blocks):
            parent = None if loop.parent is None else loop.parent + start
            loops.append(replace(loop, parent=parent))
    return Code(tuple(loops), tuple(count(loop.own, dialect) for loop in loops))


def facts_of(function: PrimFunc, target: Target, program: str | None) -> list[LoopFacts]:
    """The loops of a scheduled function that the network's time is spent in.

    `program` is llvm-mca; without it cycles are what counts tell.
    """
    code = code_of(function, target)
    runs = runs_of(code.loops, code.counts, nests_of(function, target))
    kept = [n for n, one in enumerate(code.counts) if runs[n] is not None or one.macs]
    loops = [code.loops[n] for n in kept]
    cycles = [counted_cycles(code.counts[n], target.machine) for n in kept]
    if program is not None:
        whole = [loop.innermost for loop in loops]
        cycles = cycles_of(program, target, [loop.own for loop in loops], whole)
    return [
        _facts(code.loops[n], code.counts[n], runs[n], spent, target)
        for n, spent in zip(kept, cycles, strict=True)
    ]


def _facts(
    loop: Loop, counts: Counts, runs: float | None, cycles: float, target: Target
) -> LoopFacts:
    least = counts.macs / target.machine.fma_lanes
    return LoopFacts(
        innermost=loop.innermost,
        runs=runs,
        instructions=counts.instructions,
        multiplies=counts.multiplies,
        macs=counts.macs,
        scalar_macs=counts.scalar_macs,
        loads=counts.loads,
        stores=counts.stores,
        spills=counts.spills,
        others=counts.others,
        cycles=cycles,
        share_of_peak=least / cycles if cycles else 0.0,
    )


def compute_cycles(loops: Sequence[LoopFacts]) -> float:
    """Cycles of all loops of a kernel whose runs are known."""
    return sum(loop.cycles * loop.runs for loop in loops if loop.runs)
