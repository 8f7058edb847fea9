"""What a README shows of a result file: one row a model, engines side by side."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from pipeline.engines.registry import OURS
from pipeline.errors import RequestError
from pipeline.pairs import is_pair, time_ratio
from pipeline.result_files import write_text
from pipeline.results import Result, ResultFile, Verdict
from pipeline.rows import Rows, markdown_table, size_text

BEGIN, END = "<!-- results -->", "<!-- end of results -->"
UNSTEADY = "~"
WAIT = "wait, ns"


def insert_results(file: ResultFile, path: Path) -> None:
    """Put the tables between the two marks of a Markdown file; RequestError if it has none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read {path} ({error})") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise RequestError(f"{path} has no place for results; add two lines to it: {BEGIN} {END}")
    write_text(f"{before}{begin}\n{results_markdown(file)}\n{end}{after}", path)


def results_markdown(file: ResultFile) -> str:
    """Conditions, latencies and savings; of a file that has them, nothing else."""
    blocks = [_conditions(file), markdown_table(side_by_side(file.results))]
    saved = savings(file.results)
    if saved.cells:
        blocks.append(markdown_table(saved))
    blocks += [f"{gone.engine}, {gone.model}: {gone.reason}." for gone in file.absent]
    return "\n\n".join(blocks)


def side_by_side(results: Sequence[Result]) -> Rows:
    """p50 in milliseconds of every engine; the last column is the fastest peer's over ours.

    One says how many nanoseconds cores waited for each other, where that was measured.
    """
    peers, waits = _peers(results), any(one.handover_ns for one in results)
    waiting = (WAIT,) if waits else ()
    last = "fastest peer / ours"
    headings = ("model", "input", "threads", *waiting, OURS.name, "of peak", *peers, last)
    cells = []
    for ours in _ours(results):
        others = {one.engine: one for one in results if one.contest == ours.contest}
        del others[OURS.name]
        fastest = min((one.latency_ms.p50 for one in others.values()), default=None)
        cells.append((
            ours.model,
            size_text(ours.input_size),
            str(ours.threads),
            *([_wait(ours)] if waits else ()),
            f"**{_time(ours)}**",
            "" if ours.fraction_of_peak is None else f"{ours.fraction_of_peak:.0%}",
            *(_time(others[peer]) if peer in others else "" for peer in peers),
            "" if fastest is None else f"**{fastest / ours.latency_ms.p50:.2f}**",
        ))  # fmt: skip
    return Rows("Latency", headings, cells)


def savings(results: Sequence[Result]) -> Rows:
    """The time of MobileNet over that of ShuffleNet, on each engine.

    The MobileNet is the largest there is of the same input and threads.
    """
    peers = _peers(results)
    headings = ("pair", "input", "threads", "multiply-adds", OURS.name, *peers)
    cells = []
    for hero in _ours(results):
        rivals = [one for one in _ours(results) if is_pair(one, hero)]
        if not rivals:
            continue
        rival = max(rivals, key=lambda one: one.macs)
        cells.append((
            f"{rival.model} : {hero.model}",
            size_text(hero.input_size),
            str(hero.threads),
            f"{rival.macs / hero.macs:.2f}",
            *(_ratio(results, rival, hero, engine) for engine in (OURS.name, *peers)),
        ))  # fmt: skip
    return Rows("MobileNet : ShuffleNet", headings, cells)


def _conditions(file: ResultFile) -> str:
    environment = file.environment
    peaks = " / ".join(f"{peak:.1f}" for _, peak in sorted(environment.fma_peak_gmacs.items()))
    threads = " / ".join(str(count) for count in sorted(environment.fma_peak_gmacs))
    batches = sorted({one.batch for one in file.results})
    versions = ", ".join(f"{name} {number}" for name, number in environment.versions.items())
    return (
        f"Median latency in milliseconds, {environment.date[:10]}: {environment.cpu}"
        f" ({environment.machine}, {environment.cores} cores; multiply-adds alone reach {peaks}"
        f" GMAC/s with {threads} threads), batch {', '.join(map(str, batches))},"
        f" {', '.join(sorted({one.dtype for one in file.results}))}. {versions}."
        f" {UNSTEADY} marks samples that were not steady."
    )


def _ours(results: Sequence[Result]) -> list[Result]:
    ours = [one for one in results if one.engine == OURS.name]
    return sorted(ours, key=lambda one: (one.input_size, one.model, one.threads))


def _peers(results: Sequence[Result]) -> list[str]:
    """The others in the order of their time over all."""
    total: dict[str, float] = {}
    for one in results:
        total[one.engine] = total.get(one.engine, 0.0) + one.latency_ms.p50
    total.pop(OURS.name, None)
    return sorted(total, key=lambda name: total[name])


def _wait(result: Result) -> str:
    return f"{statistics.median(result.handover_ns):.0f}" if result.handover_ns else ""


def _time(result: Result) -> str:
    mark = "" if result.verdict is Verdict.VALID else UNSTEADY
    return f"{mark}{result.latency_ms.p50:.2f}"


def _ratio(results: Sequence[Result], rival: Result, hero: Result, engine: str) -> str:
    of_engine = {one.contest: one for one in results if one.engine == engine}
    if rival.contest not in of_engine or hero.contest not in of_engine:
        return ""
    return f"{time_ratio(of_engine[rival.contest], of_engine[hero.contest]):.2f}"
