"""A profile of a GPU as a table, and in words."""

from pipeline.profiling.gpu_records import GpuCall, GpuProfile
from pipeline.profiling.table import modules_of
from pipeline.rows import Rows

HEADINGS = (
    "module",
    "operators",
    "output",
    "us",
    "of time",
    "M MAC",
    "GMAC/s",
    "of peak",
    "kB",
    "MAC/byte",
    "bound us",
    "bound by",
    "schedule",
)
TENSOR_CORES = " (tensor cores)"


def gpu_rows(profile: GpuProfile) -> Rows:
    """A row for each kernel call in order, and the sum."""
    cells = [_cells(call, profile) for call in profile.calls]
    macs, total = sum(call.macs for call in profile.calls), profile.kernels_ms
    moved, rate = sum(call.edge_bytes for call in profile.calls), macs / 1e6 / total
    cells.append(
        (
            "all kernels", "", "", f"{total * 1e3:.1f}", "100%", f"{macs / 1e6:.1f}", f"{rate:.0f}",
            f"{rate / profile.peak_gmacs:.0%}", f"{moved / 1e3:.0f}", f"{macs / moved:.1f}",
            f"{profile.bound_ms * 1e3:.1f}", "", "",
        )
    )  # fmt: skip
    return Rows(profile.title, HEADINGS, cells)


def describe_gpu(profile: GpuProfile) -> list[str]:
    """How the kernels add up, images a second, and what the bound is."""
    kernels, whole = profile.kernels_ms * 1e3, profile.whole_ms * 1e3
    return [
        f"the {len(profile.calls)} kernels, each alone, add up to {kernels:.1f} us; the whole, one "
        f"CUDA graph, takes {whole:.1f} us: {profile.gap:+.1%}",
        f"{profile.batch / profile.whole_ms * 1e3:.0f} images a second; "
        f"{profile.parameters / 1e6:.2f} million parameters, library "
        f"{profile.library_bytes / 1e6:.1f} MB",
        profile.bound_formula,
    ]


def _cells(call: GpuCall, profile: GpuProfile) -> tuple[str, ...]:
    rate = ("", "")
    if call.macs:
        rate = f"{call.gmacs:.0f}", f"{call.gmacs / profile.peak_gmacs:.0%}"
    return (
        modules_of(call),
        " ".join(call.operators) + (TENSOR_CORES if call.matrices else ""),
        call.output,
        f"{call.ms * 1e3:.2f}",
        f"{call.ms / profile.kernels_ms:.1%}",
        f"{call.macs / 1e6:.2f}" if call.macs else "",
        *rate,
        f"{call.edge_bytes / 1e3:.0f}",
        f"{call.intensity:.1f}" if call.macs else "",
        f"{call.bound_ms * 1e3:.2f}",
        call.bound_by,
        call.source,
    )
