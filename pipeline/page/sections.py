"""What the page says, section by section: tables, figures and words, before they are laid out."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.ablation.table import ablation_rows
from pipeline.engines.registry import OURS
from pipeline.page.evidence import Evidence
from pipeline.page.figures import Figure, figures
from pipeline.pairs import time_ratio
from pipeline.paper_tables import paper_tables
from pipeline.profiling.memory_table import memory_rows
from pipeline.profiling.records import Profile
from pipeline.profiling.table import LARGEST_GAP
from pipeline.report import latency_rows, loadgen_rows, ratio_rows
from pipeline.results import Environment, Result, Verdict
from pipeline.rows import Rows
from pipeline.study_tables import study_tables

HERO, OPPONENT = "shufflenet-1.0x-g3", "mobilenet-1.0"


@dataclass(frozen=True)
class Section:
    """A part of the page; `terms` are pairs of a word and what it is."""

    name: str
    title: str
    note: str = ""
    tables: tuple[Rows, ...] = ()
    figures: tuple[Figure, ...] = ()
    terms: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Fact:
    """A figure that stands at the top, and what it is."""

    figure: str
    words: str


def sections(evidence: Evidence) -> list[Section]:
    """Those that there is evidence for."""
    drawn = {figure.name: figure for figure in figures(evidence)}
    layers = tuple(figure for name, figure in drawn.items() if name.startswith("layers-"))
    ratios = ratio_rows(evidence.results)
    parts = [
        Section(
            "head-to-head",
            "Head to head",
            HEAD_TO_HEAD,
            _tables(latency_rows(evidence.results, evidence.absent))
            + _tables(loadgen_rows(evidence.results)),
        ),
        Section("ratio", "What is kept of fewer multiply-adds", RATIO, _tables(ratios)),
        *_with_figure("latency", drawn),
        Section("layers", "Where the time goes", _layers_note(evidence.profiles), figures=layers),
        *_with_figure("roofline", drawn),
        *_with_figure("threads", drawn),
        Section(
            "ablation",
            "What each step brings",
            tables=tuple(map(ablation_rows, evidence.ablations)),
            figures=_those(drawn, "steps"),
        ),
        Section(
            "shuffle", "Is the shuffle good or bad?", STUDIES, tuple(study_tables(evidence.results))
        ),
        Section(
            "paper",
            "The tables of the ShuffleNet paper",
            PAPER,
            _paper(evidence),
        ),
        Section("memory", "Memory and energy", MEMORY, _tables(memory_rows(evidence.profiles))),
        Section("conditions", "Conditions", terms=_conditions(evidence)),
    ]
    return [part for part in parts if part.tables or part.figures or part.terms]


def _those(drawn: dict[str, Figure], *names: str) -> tuple[Figure, ...]:
    return tuple(drawn[name] for name in names if name in drawn)


def _paper(evidence: Evidence) -> tuple[Rows, ...]:
    """The paper's tables, if its suite was measured."""
    if not evidence.complexity:
        return ()
    return tuple(paper_tables(evidence.complexity, evidence.results))


def facts(evidence: Evidence) -> list[Fact]:
    """The answer in a few figures."""
    best = {(one.model, one.engine): one for one in evidence.usual}
    found = []
    for model in (HERO, OPPONENT):
        ours = best.get((model, OURS.name))
        if ours:
            threads = f"{ours.threads} thread{'s' if ours.threads > 1 else ''}"
            found.append(Fact(f"{ours.latency_ms.p50:.2f} ms", f"{model}, {threads}, p50"))
            found += _against_the_rest(ours, evidence.usual)
    pair = [best.get((model, OURS.name)) for model in (OPPONENT, HERO)]
    if pair[0] and pair[1]:
        time = time_ratio(pair[0], pair[1])
        work = pair[0].macs / pair[1].macs
        words = (
            f"MobileNet's time over ShuffleNet's; its multiply-adds are {work:.2f} times as many"
        )
        found.append(Fact(f"{time:.2f}\u00d7", words))
    return found


def _against_the_rest(ours: Result, results: Sequence[Result]) -> list[Fact]:
    rivals = [one for one in results if one.model == ours.model and one.engine != ours.engine]
    if not rivals:
        return []
    nearest = min(rivals, key=lambda one: one.latency_ms.p50)
    ratio = nearest.latency_ms.p50 / ours.latency_ms.p50
    words = f"the time of {nearest.engine}, the fastest other engine, on {ours.model}"
    return [Fact(f"{ratio:.2f}\u00d7", words)]


def _tables(rows: Rows) -> tuple[Rows, ...]:
    return (rows,) if rows.cells else ()


def _with_figure(name: str, drawn: dict[str, Figure]) -> list[Section]:
    figure = drawn.get(name)
    return [Section(f"{name}-figure", figure.title, figures=(figure,))] if figure else []


def _layers_note(profiles: Sequence[Profile]) -> str:
    far = [one for one in profiles if abs(one.gap) > LARGEST_GAP]
    gaps = ", ".join(f"{one.model} {one.gap:+.1%}" for one in far)
    within = f"The kernels, timed one at a time, add up to the whole within {LARGEST_GAP:.0%}"
    return f"{within}, but for {gaps}." if far else f"{within}."


def _conditions(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """The machine, the versions, and how the measurement was judged."""
    first: Environment = evidence.environments[0]
    peaks = {
        count: max(one.fma_peak_gmacs.get(count, 0.0) for one in evidence.environments)
        for one in evidence.environments
        for count in one.fma_peak_gmacs
    }
    versions = {k: v for one in evidence.environments for k, v in one.versions.items()}
    clocks = {one.frequency_mhz for one in evidence.environments if one.frequency_mhz}
    steady = sum(one.verdict is Verdict.VALID for one in evidence.results)
    load = ", ".join(f"{one.load_average:.2f}" for one in evidence.environments)
    terms = [
        ("processor", f"{first.cpu}, {first.cores} cores for this process, {first.machine}"),
        ("ceiling", "; ".join(f"{c} threads: {p:.1f} GMAC/s" for c, p in sorted(peaks.items()))),
        ("clock", ", ".join(f"{clock:.0f} MHz" for clock in sorted(clocks)) or "not known"),
        ("load average", load),
        ("system", f"{first.os}; Python {first.python}"),
        ("versions", ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))),
        ("measured", ", ".join(one.date for one in evidence.environments)),
        ("weights", "random from a seed unless a file was given: times do not depend on them"),
    ]
    if evidence.results:
        total = len(evidence.results)
        kept = f"{steady} of {total} results are VALID; the others' times may be the machine's"
        terms.append(("steadiness", kept))
    return tuple(terms)


HEAD_TO_HEAD = (
    "Engines ran in processes of their own, one awake at a time, in turns of a fraction of a "
    "second. Each output was compared with PyTorch's before its time counted. \u201cx ours\u201d "
    "is the time over ours, \u201cof peak\u201d the share of what bare multiply-adds reach."
)
RATIO = (
    "ShuffleNet has fewer multiply-adds than MobileNet. \u201ctime\u201d is how many times faster "
    "it then is, and the last column how much of the advantage arrives."
)
STUDIES = (
    "The same network without its channel shuffle, and with its first pointwise convolution "
    "grouped too. Without the shuffle groups never mix, so that it is for timing only."
)
PAPER = (
    "Published figures are marked as such: classification errors are those of the authors, and the "
    "phone is a Snapdragon 820 with one thread. In brackets beside a time: how many times as long "
    "MobileNet 1.0 takes there; beside a speed-up: the share of the fewer multiply-adds."
)
MEMORY = (
    "The energy is an estimate from published figures for 45 nm, over the bytes that the compiled "
    "code moves: 5 pJ for a word from the cache, 640 pJ for one from DRAM, 0.9 pJ for an operation."
)
