"""The three tables of the ShuffleNet paper: what it published beside what was measured here."""

from collections.abc import Sequence

from pipeline.engines.registry import OURS
from pipeline.models.paper import FIGURES
from pipeline.models.snapdragon import SNAPDRAGON_820_MS, snapdragon_ms
from pipeline.results import Complexity, Result
from pipeline.rows import Rows, size_text

PHONE = "Snapdragon 820, published"
RIVAL, OLDEST = "mobilenet-1.0", "alexnet"
COMPLEXITY_HEADINGS = (
    "model",
    "M multiply-adds",
    "M multiply-adds, published",
    "M parameters",
    "% top-1 error, published",
)


def paper_tables(complexity: Sequence[Complexity], results: Sequence[Result]) -> list[Rows]:
    """Those that there are figures for."""
    timed = [one for one in results if one.model in SNAPDRAGON_820_MS and one.batch == 1]
    tables = [complexity_rows(complexity), time_rows(timed), speedup_rows(timed)]
    return [rows for rows in tables if rows.cells]


def complexity_rows(complexity: Sequence[Complexity]) -> Rows:
    """A row for each network, those with fewer multiply-adds first."""
    cells: list[tuple[str, ...]] = []
    for one in sorted(complexity, key=lambda one: one.macs):
        paper = FIGURES.get(one.model)
        error = paper.top1_error if paper else None
        cells.append((
            one.model,
            f"{one.macs / 1e6:.1f}",
            str(paper.million_macs) if paper else "",
            f"{one.parameters / 1e6:.2f}",
            "" if error is None else f"{error:.1f}",
        ))  # fmt: skip
    return Rows("Complexity", COMPLEXITY_HEADINGS, cells)


def time_rows(results: Sequence[Result]) -> Rows:
    """Milliseconds, and in brackets how many times as long MobileNet 1.0 takes there."""
    engines = _engines(results)
    times = _times(results)
    cells = []
    for ours in _settings(results):
        rival = snapdragon_ms(RIVAL, ours.input_size)
        row = [_with_ratio(snapdragon_ms(ours.model, ours.input_size), rival)]
        for engine in engines:
            own, other = times.get((engine, *ours.contest)), times.get(_of(engine, RIVAL, ours))
            row.append(_with_ratio(own, other))
        cells.append((ours.model, size_text(ours.input_size), str(ours.threads), *row))
    headings = ("model", "input", "threads", PHONE, *engines)
    return Rows("ms an image (times as fast as MobileNet 1.0)", headings, cells)


def speedup_rows(results: Sequence[Result]) -> Rows:
    """Fewer multiply-adds and less time, and in brackets how much of the one becomes the other."""
    engines = _engines(results)
    times = _times(results)
    macs = {one.contest: one.macs for one in results}
    cells = []
    for slow in (RIVAL, OLDEST):
        for fast in _settings(results):
            theory = macs.get(_of("", slow, fast)[1:], 0) / fast.macs
            if theory <= 1:
                continue
            phone = (snapdragon_ms(name, fast.input_size) for name in (slow, fast.model))
            row = [_kept(next(phone), next(phone), theory)]
            for engine in engines:
                pair = times.get(_of(engine, slow, fast)), times.get((engine, *fast.contest))
                row.append(_kept(*pair, theory))
            where = (f"{slow} : {fast.model}", size_text(fast.input_size), str(fast.threads))
            cells.append((*where, f"{theory:.2f}", *row))
    headings = ("pair", "input", "threads", "multiply-adds", PHONE, *engines)
    return Rows("Actual against theoretical speed-up", headings, cells)


def _settings(results: Sequence[Result]) -> list[Result]:
    """Each network with each input and number of threads once, ours where it was measured."""
    ordered = sorted(results, key=lambda one: one.engine == OURS.name)
    found = {one.contest: one for one in ordered}
    models = list(SNAPDRAGON_820_MS)
    return sorted(
        found.values(), key=lambda one: (one.threads, one.input_size, models.index(one.model))
    )


def _engines(results: Sequence[Result]) -> list[str]:
    """Ours first."""
    return sorted({one.engine for one in results}, key=lambda name: (name != OURS.name, name))


def _times(results: Sequence[Result]) -> dict[tuple[object, ...], float]:
    return {one.setting: one.latency_ms.p50 for one in results}


def _of(engine: str, model: str, like: Result) -> tuple[object, ...]:
    """The setting of another network, measured as `like` was."""
    return (engine, model, *like.contest[1:])


def _with_ratio(ms: float | None, rival: float | None) -> str:
    if ms is None:
        return ""
    return f"{ms:.2f}" if rival is None else f"{ms:.2f} ({rival / ms:.2f})"


def _kept(slow: float | None, fast: float | None, theory: float) -> str:
    if slow is None or fast is None:
        return ""
    return f"{slow / fast:.2f} ({slow / fast / theory:.0%})"
