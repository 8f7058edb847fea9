"""What changed between two result files, as a table."""

import math
from collections.abc import Sequence

from pipeline.compare import Comparison
from pipeline.rows import Rows

COMPARISON_HEADINGS = (
    "model",
    "threads",
    "engine",
    "old p50 ms",
    "new p50 ms",
    "clock",
    "change at equal clock",
    "99 % sure of",
    "outcome",
)


def comparison_rows(comparisons: Sequence[Comparison]) -> Rows:
    """A row for each setting, in the order of the old file."""
    return Rows("New against old", COMPARISON_HEADINGS, [*map(_comparison_cells, comparisons)])


def _comparison_cells(one: Comparison) -> tuple[str, ...]:
    times = [f"{result.latency_ms.p50:.3f}" if result else "" for result in (one.old, one.new)]
    found, subject = one.change, one.subject
    shown = ("", "")
    if found:
        known = math.isfinite(found.high)
        span = f"{found.low:+.1%} to {found.high:+.1%}" if known else "nothing: too few rounds"
        shown = (f"{found.ratio:+.1%}", span)
    clock = "" if one.clock is None else f"{one.clock:+.1%}"
    where = (subject.model, str(subject.threads), subject.engine)
    return (*where, *times, clock, *shown, str(one.outcome))
