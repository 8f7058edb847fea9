"""An analysis of a network on a GPU, as a table and lines."""

from collections.abc import Sequence

from rich.table import Table

from pipeline.gpu.analysis import GpuReport, KernelReport

COLUMNS = (
    "kernel", "calls", "blocks", "threads", "registers", "spilled", "shared", "occupancy",
    "fma", "tensor", "loads 128/other", "stores 128/other", "MMAC", "device KB", "L2 KB",
    "modelled bound us", "by",
)  # fmt: skip


def table_of(report: GpuReport) -> Table:
    """A row for every kernel."""
    table = Table(
        *COLUMNS,
        title=f"{report.model} on {report.target} (sm_{report.architecture}), batch "
        f"{report.batch}, {report.dtype}, code by {report.compiler}",
    )
    for kernel in report.kernels:
        table.add_row(*_cells(kernel))
    return table


def describe(report: GpuReport) -> Sequence[str]:
    """What the table does not say, each in a line."""
    spilled = sum(one.spilled_bytes for one in report.kernels)
    tensor = sum(one.calls for one in report.kernels if one.matrices)
    limited = [one.function for one in report.kernels if one.limited]
    scattered = [
        f"{one.function}: {', '.join(one.uncoalesced_tensors)}"
        for one in report.kernels
        if not one.coalesced
    ]
    share = report.device_bytes / report.device_bytes_apart
    seconds = report.modelled_bound_seconds
    return (
        f"{report.kernel_calls} kernels an inference, none of them for the shuffle; "
        f"{spilled} bytes spilled",
        f"{report.device_bytes / 1e6:.2f} MB through device memory, weights included: {share:.2f} "
        f"of one kernel an operator",
        f"on tensor cores: {tensor} of them",
        f"limited by occupancy: {', '.join(limited) or 'none'}",
        f"uncoalesced: {'; '.join(scattered) or 'none'}",
        f"modelled bound {seconds * 1e6:.1f} us an inference, "
        f"{report.batch / seconds:.0f} images a second",
        report.modelled_bound_formula,
    )


def _cells(kernel: KernelReport) -> list[str]:
    mix = kernel.instructions
    return [
        kernel.function,
        str(kernel.calls),
        str(kernel.blocks),
        str(kernel.threads),
        str(kernel.registers),
        str(kernel.spilled_bytes),
        str(kernel.shared_bytes),
        f"{kernel.occupancy:.0%}",
        str(mix.get("fma", 0)),
        str(mix.get("tensor", 0)),
        f"{mix.get('load_128', 0)}/{mix.get('load', 0)}",
        f"{mix.get('store_128', 0)}/{mix.get('store', 0)}",
        f"{kernel.macs / 1e6:.2f}",
        f"{kernel.device_bytes / 1024:.0f}",
        f"{kernel.l2_bytes / 1024:.0f}",
        f"{kernel.bound_seconds * 1e6:.2f}",
        kernel.bound_by,
    ]
