"""The parts that Vega-Lite specifications are made of.

Series are told apart by colour and shape, in colours that colour-blind people tell apart too
(Okabe and Ito 2008).
"""

from collections.abc import Iterable, Sequence
from math import floor, log10
from typing import Any

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
# In the order in which they are told apart best; the first is ours.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C8C8C", "#B5A642")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
DASHES: tuple[list[int], ...] = ([], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3])
HEIGHT = 340
# Room between the outermost points of a logarithmic scale and its ends.
MARGIN = 1.35
# Fields that are words, and how the others are written.
WORDS = {"model", "family", "engine", "module", "modules", "work", "ceiling", "variant", "without"}
FORMATS = {"share": ".0%", "peak": ".0%", "ms": ".3f", "M": ".0f", "threads": "d"}


def spec(**parts: Any) -> Spec:
    """A figure as wide as the page lets it be."""
    fit = {"type": "fit-x", "contains": "padding"}
    return {"$schema": SCHEMA, "autosize": fit, "width": "container", "height": HEIGHT, **parts}


def axis(field: str, title: str, **more: Any) -> Spec:
    """A quantity; its title names the unit."""
    return {"field": field, "type": "quantitative", "title": title, **more}


def log_axis(field: str, title: str, values: Iterable[float]) -> Spec:
    """A quantity over several orders of magnitude, with lines at 1, 2 and 5 times each."""
    known = list(values)
    low, high = min(known) / MARGIN, max(known) * MARGIN
    powers = range(floor(log10(low)), floor(log10(high)) + 1)
    ticks = [step * 10.0**power for power in powers for step in (1, 2, 5)]
    lines = {"values": [tick for tick in ticks if low <= tick <= high], "format": "~g"}
    scale = {"type": "log", "domain": [low, high], "nice": False}
    return axis(field, title, scale=scale, axis=lines)


def colour(field: str, values: Iterable[str], title: str | None = None) -> Spec:
    """A colour for each value."""
    return _told_apart(field, values, COLOURS, title)


def shape(field: str, values: Iterable[str]) -> Spec:
    """A shape for each value."""
    return _told_apart(field, values, SHAPES, None)


def dash(field: str, values: Iterable[str]) -> Spec:
    """A kind of line for each value."""
    legend = {"symbolType": "stroke", "symbolSize": 500, "symbolStrokeWidth": 1.5}
    return {**_told_apart(field, values, DASHES, None), "legend": legend}


def tips(**titles: str) -> list[Spec]:
    """What is told of a point, by field and title."""
    return [
        {"field": field, "title": title, "type": "nominal"}
        if field in WORDS
        else axis(field, title, format=FORMATS.get(field, ".2f"))
        for field, title in titles.items()
    ]


def _told_apart(field: str, values: Iterable[str], kinds: Sequence[Any], title: str | None) -> Spec:
    domain = list(dict.fromkeys(values))
    scale = {"domain": domain, "range": [kinds[n % len(kinds)] for n in range(len(domain))]}
    return {"field": field, "type": "nominal", "title": title, "scale": scale}
