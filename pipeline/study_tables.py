"""What the shuffle costs on each engine, and that the first pointwise convolution is dense."""

from collections.abc import Sequence

from pipeline.engines.registry import OURS
from pipeline.models.studies import GROUPED_FIRST, UNSHUFFLED
from pipeline.results import Result
from pipeline.rows import Rows, size_text

HEADINGS = ("model", "input", "threads", "engine")
SHUFFLE = (*HEADINGS, "ms without the shuffle", "ms with it", "the shuffle takes")
FIRST = (*HEADINGS, "ms with it grouped", "ms dense, as in the paper", "being dense takes")


def study_tables(results: Sequence[Result]) -> list[Rows]:
    """Those that there are results for."""
    tables = [
        _rows("The channel shuffle", SHUFFLE, results, UNSHUFFLED),
        _rows("The first pointwise convolution", FIRST, results, GROUPED_FIRST),
    ]
    return [rows for rows in tables if rows.cells]


def _rows(title: str, headings: tuple[str, ...], results: Sequence[Result], suffix: str) -> Rows:
    """A row for each network without something and the same with it, ours first."""
    usual = {one.setting: one for one in results}
    cells = []
    for less in sorted(results, key=lambda one: (one.model, one.threads, one.engine != OURS.name)):
        if not less.model.endswith(suffix):
            continue
        name = less.model.removesuffix(suffix)
        full = usual.get((less.engine, name, *less.contest[1:]))
        if full is not None:
            cells.append((name, *_figures(less, full)))
    return Rows(title, headings, cells)


def _figures(less: Result, full: Result) -> tuple[str, ...]:
    times = less.latency_ms.p50, full.latency_ms.p50
    return (
        size_text(less.input_size),
        str(less.threads),
        less.engine,
        *(f"{time:.3f}" for time in times),
        f"{times[1] / times[0] - 1:+.1%}",
    )
