"""An analysis of code for a CPU, as a table and lines."""

from rich.table import Table

from pipeline.analysis.records import Analysis, KernelFacts, LoopFacts

COLUMNS = (
    "kernel", "calls", "output", "instructions", "fma", "loads", "stores", "spills", "others",
    "of peak", "kB", "level", "modelled bound us",
)  # fmt: skip
MISSING = (
    "llvm-mca is not installed (apt-get install llvm-19): cycles are counts of multiply-adds and "
    "loads, and shares of peak no more than that"
)


def table_of(analysis: Analysis) -> Table:
    """A row for every kernel, and one for each innermost loop that multiplies, of one turn."""
    height, width = analysis.input_size
    title = f"{analysis.model}, {height}x{width}, on {analysis.target} at {analysis.ghz:g} GHz"
    table = Table(*COLUMNS, title=title)
    for kernel in analysis.kernels:
        table.add_row(*_kernel_cells(kernel, analysis.ghz))
        for loop in kernel.inner:
            table.add_row(*_loop_cells(loop))
    return table


def describe(analysis: Analysis) -> list[str]:
    """What the table does not say, each in a line."""
    by = analysis.model_of_core
    return [
        f"innermost loops: {analysis.instructions_per_multiply:.2f} instructions for each vector "
        f"multiply-add, {analysis.spills} accesses to the stack; "
        f"{analysis.vector_share:.1%} of the multiply-adds are made by vector instructions",
        f"cycles by llvm-mca's model of {by}" if by else MISSING,
        f"modelled bound {analysis.bound_ms:.2f} ms an inference on one core; multiply-adds alone "
        f"would take {analysis.peak_ms:.2f} ms",
        analysis.formula,
    ]


def _kernel_cells(kernel: KernelFacts, ghz: float) -> list[str]:
    by = "" if kernel.compute_cycles >= kernel.memory_cycles else " (bytes)"
    return [
        kernel.function, str(kernel.calls), kernel.output, *[""] * 7,
        f"{kernel.bytes / 1e3:.0f}", kernel.level, f"{kernel.cycles / ghz / 1e3:.1f}{by}",
    ]  # fmt: skip


def _loop_cells(loop: LoopFacts) -> list[str]:
    turns = "?" if loop.runs is None else f"{loop.runs:.0f}"
    counts = (
        loop.instructions, loop.multiplies, loop.loads, loop.stores, loop.spills, loop.others,
    )  # fmt: skip
    cells = [str(number) for number in counts]
    return [f"  {turns} turns", "", "", *cells, f"{loop.share_of_peak:.0%}", "", "", ""]
