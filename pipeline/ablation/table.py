"""An ablation as a table: what each step brought."""

from pipeline.ablation.records import Ablation
from pipeline.results import Result
from pipeline.rows import Rows, size_text

HEADINGS = (
    "step",
    "without it",
    "p50 ms",
    "times as long",
    "parallel loops",
    "activations MB",
    "error",
    "verdict",
)


def ablation_rows(one: Ablation) -> Rows:
    """The whole program, and then a row for each step that was left out."""
    whole = one.whole
    title = (
        f"{whole.model}, {size_text(whole.input_size)}, {whole.threads} "
        f"thread{'s' if whole.threads > 1 else ''}: what each step brings"
    )
    cells = [("all of them", "", *_figures(one, whole, one.regions))]
    cells += [(row.what, row.without, *_figures(one, row.result, row.regions)) for row in one.rows]
    blank = ("",) * (len(HEADINGS) - 3)
    cells += [(what, reason, *blank, "") for what, reason in one.absent.items()]
    return Rows(title, HEADINGS, cells)


def _figures(one: Ablation, result: Result, regions: int) -> tuple[str, ...]:
    memory = result.peak_activation_bytes
    return (
        f"{result.latency_ms.p50:.3f}",
        f"{result.latency_ms.p50 / one.whole.latency_ms.p50:.2f}",
        str(regions),
        "" if memory is None else f"{memory / 1e6:.2f}",
        f"{result.max_relative_error:.0e}",
        str(result.verdict),
    )
