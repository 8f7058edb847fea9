"""Tables of a benchmark."""

from collections.abc import Sequence

from pipeline.engines.registry import OURS
from pipeline.pairs import is_pair, time_ratio
from pipeline.paper_tables import paper_tables
from pipeline.results import Absence, Emulated, Result, ResultFile, Verdict
from pipeline.rows import Rows, size_text
from pipeline.study_tables import study_tables

LATENCY_HEADINGS = (
    "model",
    "input",
    "threads",
    "batch",
    "engine",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "images/s",
    "GMAC/s",
    "of peak",
    "x ours",
    "error",
    "tuned/hand/default",
    "verdict",
)
EMULATED_HEADINGS = (
    "model",
    "input",
    "threads",
    "target",
    "dtype",
    "error",
    "first answers as PyTorch",
    "verdict",
)
LOADGEN_HEADINGS = (
    "model",
    "input",
    "threads",
    "engine",
    "queries",
    "p50 ms",
    "p90 ms, MLPerf's estimate",
    "result",
)
RATIO_HEADINGS = (
    "pair",
    "input",
    "threads",
    "engine",
    "multiply-adds",
    "time",
    "time / multiply-adds",
)


def bench_tables(file: ResultFile) -> list[Rows]:
    """What a benchmark shows; of a suite of the paper its tables too."""
    tables = [latency_rows(file.results, file.absent), emulated_rows(file.emulated)]
    tables.append(ratio_rows(file.results))
    if file.complexity:
        tables[2:] = paper_tables(file.complexity, file.results)
    return [
        rows
        for rows in (*tables, *study_tables(file.results), loadgen_rows(file.results))
        if rows.cells
    ]


def emulated_rows(emulated: Sequence[Emulated]) -> Rows:
    """Networks that were compared on an emulated device: no row has a time."""
    cells: list[tuple[str, ...]] = [
        (
            one.model,
            size_text(one.input_size),
            str(one.threads),
            one.target,
            one.dtype,
            f"{one.max_relative_error:.0e}",
            f"{one.top1_agreement:.0%} of {one.images * one.batch}",
            "emulated",
        )
        for one in emulated
    ]
    return Rows("Emulated device: outputs compared, no times", EMULATED_HEADINGS, cells)


def latency_rows(results: Sequence[Result], absent: Sequence[Absence] = ()) -> Rows:
    """A row for each model, number of threads and engine, fastest engine first."""
    ours = {result.contest: result for result in results if result.engine == OURS.name}
    ordered = sorted(
        results, key=lambda r: (r.model, r.input_size, r.threads, r.batch, r.latency_ms.p50)
    )
    cells = [_latency_cells(result, ours.get(result.contest)) for result in ordered]
    blank = ("",) * (len(LATENCY_HEADINGS) - 6)
    cells += [
        (a.model, size_text(a.input_size or ()), str(a.threads), "", a.engine, *blank, a.reason)
        for a in absent
    ]
    return Rows("Latency", LATENCY_HEADINGS, cells)


def ratio_rows(results: Sequence[Result]) -> Rows:
    """How much of its advantage in multiply-adds each ShuffleNet keeps as time.

    Pairs are a MobileNet and a ShuffleNet on the same engine, with the same threads and input.
    """
    cells = [
        _ratio_cells(rival, hero) for rival in results for hero in results if is_pair(rival, hero)
    ]
    return Rows("MobileNet : ShuffleNet", RATIO_HEADINGS, sorted(cells))


def loadgen_rows(results: Sequence[Result]) -> Rows:
    """What MLPerf's load generator found, fastest engine first."""
    timed = [(one, one.loadgen) for one in results if one.loadgen]
    timed.sort(key=lambda pair: (pair[0].model, pair[0].threads, pair[1].p90_ms))
    cells: list[tuple[str, ...]] = [
        (
            one.model,
            size_text(one.input_size),
            str(one.threads),
            one.engine,
            str(note.queries),
            f"{note.p50_ms:.2f}",
            f"{note.p90_ms:.2f}",
            "VALID" if note.valid else "INVALID",
        )
        for one, note in timed
    ]
    return Rows("MLPerf LoadGen, single stream", LOADGEN_HEADINGS, cells)


def advice(results: Sequence[Result]) -> list[str]:
    """What to do about results that were not steady, and below each cure why they need it."""
    lines: dict[str, list[str]] = {}
    for one in results:
        if one.verdict is not Verdict.VALID:
            why, _, cure = one.advice.partition("; ")
            where = f"{one.model}, {size_text(one.input_size)}, {one.engine}"
            threads = f"{one.threads} thread{'s' if one.threads > 1 else ''}"
            found = lines.setdefault(f"{one.verdict}: {cure}", [])
            found.append(f"  {where}, {threads}: {why}")
    return [line for cure, found in lines.items() for line in (cure, *found)]


def _latency_cells(result: Result, ours: Result | None) -> tuple[str, ...]:
    times, sources = result.latency_ms, result.schedule_sources
    peak = result.fraction_of_peak
    return (
        result.model,
        size_text(result.input_size),
        str(result.threads),
        str(result.batch),
        result.engine,
        *(f"{time:.{2 if time >= 1 else 4}f}" for time in (times.p50, times.p90, times.p99)),
        f"{result.images_per_second:.0f}",
        f"{result.gmacs_per_second:.1f}",
        f"{peak:.0%}" if peak is not None else "",
        f"{times.p50 / ours.latency_ms.p50:.2f}" if ours else "",
        f"{result.max_relative_error:.0e}",
        f"{sources.tuned}/{sources.hand}/{sources.default}" if sources else "",
        str(result.verdict),
    )


def _ratio_cells(rival: Result, hero: Result) -> tuple[str, ...]:
    work = rival.macs / hero.macs
    time = time_ratio(rival, hero)
    return (
        f"{rival.model} : {hero.model}",
        size_text(hero.input_size),
        str(hero.threads),
        hero.engine,
        f"{work:.2f}",
        f"{time:.2f}",
        f"{time / work:.0%}",
    )
