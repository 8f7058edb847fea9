"""What the commands print, as text and tables."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from pipeline.doctor import Finding
from pipeline.manifest import Manifest
from pipeline.models import names as model_names
from pipeline.models.paper import FIGURES
from pipeline.results import Sources
from pipeline.targets import names as target_names
from pipeline.targets import target_named


def table_of(rows: Sequence[dict[str, Any]]) -> Table:
    """A column for each key of the first row."""
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    return table


def describe_models() -> list[dict[str, Any]]:
    """Every model with what its authors published."""
    figures = {name: FIGURES.get(name) for name in model_names()}
    return [
        {
            "model": name,
            "published_million_macs": paper.million_macs if paper else None,
            "published_top1_error": paper.top1_error if paper else None,
        }
        for name, paper in figures.items()
    ]


def describe_targets() -> list[dict[str, Any]]:
    """Every target with the file of its tuning records."""
    return [
        {"target": one.name, "triple": one.triple, "cpu": one.cpu, "records": one.family}
        for one in map(target_named, target_names())
    ]


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
        f"schedule: {sources_text(manifest.schedule_sources)}; "
        f"differs from PyTorch by {manifest.max_relative_error:.0e}"
    )


def sources_text(sources: Sources) -> str:
    """How many calls each source of schedules serves."""
    return f"{sources.tuned} tuned, {sources.hand} hand, {sources.default} default"
