"""Which figures there are for what was measured, and each as a file of its own."""

from dataclasses import dataclass
from pathlib import Path

import vl_convert

from pipeline.page.ablation_chart import ablation_chart
from pipeline.page.charts import latency_chart, threads_chart
from pipeline.page.encodings import Spec
from pipeline.page.evidence import Evidence
from pipeline.page.kernel_charts import layers_chart, roofline_chart, works
from pipeline.page.themes import PRINT
from pipeline.profiling.records import Profile

PIXELS = 760
SCALE = 2


@dataclass(frozen=True)
class Figure:
    """One figure: `name` is that of its files, `note` says how to read it."""

    name: str
    title: str
    note: str
    spec: Spec


def figures(evidence: Evidence) -> list[Figure]:
    """Those that the evidence is enough for, in the order of the page."""
    profiles = fewest_threads(evidence.profiles)
    found = [
        ("latency", "Time against multiply-adds", LATENCY_NOTE, latency_chart(evidence)),
        ("roofline", "Every kernel under its roofline", ROOFLINE_NOTE, roofline_chart(profiles)),
        ("threads", "What more threads give", THREADS_NOTE, threads_chart(evidence)),
        ("steps", "What each step brings", STEPS_NOTE, ablation_chart(evidence.ablations)),
    ]
    whole = [Figure(name, title, note, spec) for name, title, note, spec in found if spec]
    return [*whole[:2], *layer_figures(profiles), *whole[2:]]


def layer_figures(profiles: list[Profile]) -> list[Figure]:
    """Where the time goes, one figure a model, on one scale."""
    longest = 1.05 * max((call.ms for one in profiles for call in one.calls), default=0.0)
    return [
        Figure(
            f"layers-{one.model}",
            f"{one.model}, {one.kernels_ms:.2f} ms",
            f"{len(one.calls)} kernels, in the order in which they run.",
            layers_chart(one, longest, works(profiles)),
        )
        for one in profiles
    ]


def fewest_threads(profiles: tuple[Profile, ...]) -> list[Profile]:
    """The profiles with the fewest threads, for models are compared with equally many."""
    least = min((one.threads for one in profiles), default=0)
    return [one for one in profiles if one.threads == least]


def write_figures(found: list[Figure], folder: Path) -> list[Path]:
    """Each as SVG and as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for figure in found:
        spec = {**figure.spec, "width": PIXELS, "title": figure.title}
        svg, png = (folder / f"{figure.name}.{kind}" for kind in ("svg", "png"))
        svg.write_text(vl_convert.vegalite_to_svg(spec, config=PRINT), encoding="utf-8")
        png.write_bytes(vl_convert.vegalite_to_png(spec, config=PRINT, scale=SCALE))
        paths += [svg, png]
    return paths


LATENCY_NOTE = (
    "One image of 224x224, fewest threads. Both scales are logarithmic: engines on one straight "
    "line at 45 degrees do equally many multiply-adds a second. The dashed line is what a loop of "
    "nothing but multiply-adds reaches on the same cores."
)
ROOFLINE_NOTE = (
    "Across: how much a kernel computes for each byte of its tensors. Up: how fast it does. "
    "The level line is the ceiling of arithmetic, the slopes are what memory delivers; a point "
    "far below both leaves something to win. Larger points take longer."
)
STEPS_NOTE = (
    "Each bar is the time without one step over the time with all of them, on a logarithmic scale. "
    "Operators keep their tiles, so that a bar is of its step alone."
)
THREADS_NOTE = (
    "The dashed line is what threads could give at best. Small networks lose more to the "
    "hand-over between cores."
)
