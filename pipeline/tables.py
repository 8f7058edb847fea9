"""What the commands print, as text and tables."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from rich.table import Table

from pipeline.coverage import coverage_text
from pipeline.doctor import Finding
from pipeline.errors import RequestError
from pipeline.manifest import Manifest
from pipeline.models import names as model_names
from pipeline.models.family import family
from pipeline.models.paper import FIGURES
from pipeline.models.size import model_size
from pipeline.targets import Target, is_gpu, target_named
from pipeline.targets import names as target_names
from pipeline.targets.gpu import GPUS, LOCAL, GpuTarget, host_of
from schedules.gpu import Gpu


def table_of(rows: Sequence[dict[str, Any]]) -> Table:
    """A column for each key of the first row; numbers end below each other."""
    table = Table()
    for key in rows[0]:
        values = [row[key] for row in rows if row[key] is not None]
        numbers = bool(values) and all(isinstance(value, int | float) for value in values)
        table.add_column(key.replace("_", " "), justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    return table


def describe_models(pattern: str | None = None) -> list[dict[str, Any]]:
    """Every model with what its authors published; those of a pattern are counted too.

    RequestError if no name matches the pattern.
    """
    chosen = [name for name in model_names() if fnmatchcase(name, pattern or "*")]
    if not chosen:
        raise RequestError(f"no model is called {pattern}; all names: shufflenet-tvm models")
    return [_describe_model(name, counted=pattern is not None) for name in chosen]


def _describe_model(name: str, counted: bool) -> dict[str, Any]:
    paper, size = FIGURES.get(name), model_size(name) if counted else None
    found: dict[str, Any] = {"model": name, "family": family(name)}
    if size is not None:
        found["million_macs"] = round(size.macs / 1e6, 1)
        found["million_parameters"] = round(size.parameters / 1e6, 2)
    return found | {
        "published_million_macs": paper.million_macs if paper else None,
        "published_top1_error": paper.top1_error if paper else None,
    }


def describe_targets() -> list[dict[str, Any]]:
    """Every target with what is known of it, and the file of its tuning records."""
    cpus = [_describe_target(target_named(name)) for name in target_names() if not is_gpu(name)]
    empty: dict[str, Any] = dict.fromkeys(cpus[0])
    own = {"target": LOCAL, "cpu": "the GPU of this machine"}
    return [*cpus, {**empty, **own}, *({**empty, **_describe_gpu(gpu)} for gpu in GPUS.values())]


def _describe_target(target: Target) -> dict[str, Any]:
    machine = target.machine
    return {
        "target": target.name,
        "triple": target.triple,
        "cpu": target.cpu,
        "vector": f"{machine.registers} x {32 * machine.lanes} bit",
        "fma_per_cycle": machine.fma_lanes,
        "l1_kb": machine.l1_bytes // 1024,
        "l2_kb": machine.l2_bytes // 1024,
        "float16": "yes" if target.has_half else "no",
        "records": target.family,
    }


def _describe_gpu(gpu: Gpu) -> dict[str, Any]:
    target = GpuTarget(gpu, host_of(gpu))
    return {
        "target": gpu.name,
        "triple": target.host.triple,
        "cpu": f"sm_{gpu.architecture}",
        "vector": f"{gpu.multiprocessors} x {gpu.lanes} lanes",
        "fma_per_cycle": gpu.multiprocessors * gpu.lanes,
        "l1_kb": gpu.shared_bytes // 1024,
        "l2_kb": gpu.l2_bytes // 1024,
        "float16": "yes",
        "records": target.family,
    }


def describe_findings(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """What the doctor found."""
    return [
        {"what": one.name, "found": one.found, "state": one.state, "what to do": one.remedy}
        for one in findings
    ]


def compiled_line(folder: object, manifest: Manifest) -> str:
    """What a bundle is, in one line."""
    return (
        f"{folder}: {manifest.model}, {manifest.library_bytes / 1e6:.1f} MB; kernel calls by "
        f"schedule: {coverage_text(manifest.kernels)}; "
        f"{_checked(manifest)}"
    )


def _checked(manifest: Manifest) -> str:
    """What is known of the output; code for another machine was not run."""
    gpu = manifest.target.gpu
    if gpu is not None:
        spilled = sum(one.get("spilled_bytes", 0) for k in manifest.kernels for one in k.resources)
        needs = ", ".join(f"{one / 10:.1f}" for one in gpu.architectures)
        return (
            f"code by {gpu.compiler}, {spilled} bytes spilled; not run here; needs an NVIDIA GPU "
            f"of compute capability {needs}"
        )
    if manifest.max_relative_error is None:
        runs_on = ", ".join(manifest.target.cores) or manifest.target.architecture
        return f"not run here; runs on {runs_on}; try it with: shufflenet-tvm verify --device"
    return f"differs from PyTorch by {manifest.max_relative_error:.0e}"
