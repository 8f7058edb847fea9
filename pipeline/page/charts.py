"""The figures of whole models: time against work, threads, ablations."""

from collections.abc import Sequence
from typing import Any

from pipeline.engines.registry import OURS
from pipeline.models.family import family
from pipeline.page.encodings import DASHES, Spec, axis, colour, dash, log_axis, shape, spec, tips
from pipeline.page.evidence import Evidence
from pipeline.results import Result

GUIDE = {"type": "line", "strokeDash": [5, 4], "strokeWidth": 1.2}


def latency_chart(evidence: Evidence) -> Spec | None:
    """Time against multiply-adds, and the line that no code can cross."""
    results = evidence.usual
    if not results:
        return None
    rows: list[dict[str, Any]] = [
        {
            "model": one.model,
            "family": family(one.model),
            "engine": one.engine,
            "M": one.macs / 1e6,
            "ms": one.latency_ms.p50,
            "rate": one.gmacs_per_second,
            "share": one.fraction_of_peak,
        }
        for one in results
    ]
    ceiling = _ceiling(results)
    every = [*rows, *ceiling]
    x = log_axis("M", "million multiply-adds", (row["M"] for row in every))
    y = log_axis("ms", "ms an image, p50", (row["ms"] for row in every))
    line = {"mark": GUIDE, "encoding": {"x": x, "y": y}, "data": {"values": ceiling}}
    points = {
        "mark": {"type": "point", "filled": True, "size": 90, "opacity": 0.9},
        "encoding": {
            "x": x,
            "y": y,
            "color": colour("engine", engines(results)),
            "shape": shape("family", sorted(row["family"] for row in rows)),
            "tooltip": tips(
                model="model", engine="engine", M="million multiply-adds", ms="p50 ms",
                rate="GMAC/s", share="of peak",
            ),
        },
        "data": {"values": rows},
    }  # fmt: skip
    return spec(layer=[line, points])


def threads_chart(evidence: Evidence) -> Spec | None:
    """How much faster more threads are, for each model and engine."""
    alone = {_apart(one): one.latency_ms.p50 for one in evidence.results if one.threads == 1}
    rows = [
        {
            "model": one.model,
            "engine": one.engine,
            "threads": one.threads,
            "speedup": alone[_apart(one)] / one.latency_ms.p50,
            "ms": one.latency_ms.p50,
        }
        for one in evidence.results
        if _apart(one) in alone and (one.batch, one.input_size) == (1, (224, 224))
    ]
    if len({row["threads"] for row in rows}) < 2:
        return None
    models = list(dict.fromkeys(one.model for one in evidence.results))
    most = max(evidence.threads)
    x = axis("threads", "threads", axis={"values": evidence.threads, "format": "d"})
    y = axis("speedup", "times as fast as one thread", scale={"domain": [0.8, most]})
    ideal = {
        "mark": GUIDE,
        "data": {"values": [{"threads": n, "speedup": n} for n in (1, most)]},
        "encoding": {"x": x, "y": y},
    }
    measured = {
        "mark": {"type": "line", "point": {"size": 60}},
        "data": {"values": rows},
        "encoding": {
            "x": x, "y": y,
            "color": colour("engine", engines(evidence.results)),
            "detail": {"field": "model", "type": "nominal"},
            **_dashes(models),
            "tooltip": tips(
                model="model", engine="engine", threads="threads", ms="p50 ms",
                speedup="times as fast",
            ),
        },
    }  # fmt: skip
    return spec(layer=[ideal, measured])


def _dashes(models: Sequence[str]) -> Spec:
    """A kind of line for each model, where there are kinds enough."""
    return {"strokeDash": dash("model", models)} if len(models) <= len(DASHES) else {}


def engines(results: Sequence[Result]) -> list[str]:
    """Ours first, so that it has the first colour."""
    return sorted({one.engine for one in results}, key=lambda name: (name != OURS.name, name))


def _ceiling(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Two points of the time that bare multiply-adds would take."""
    peaks = [one.gmacs_per_second / one.fraction_of_peak for one in results if one.fraction_of_peak]
    work = [one.macs / 1e6 for one in results]
    ends = (min(work), max(work)) if peaks else ()
    return [{"M": macs, "ms": macs / max(peaks)} for macs in ends]


def _apart(one: Result) -> tuple[object, ...]:
    """All of a setting but the number of threads."""
    return one.model, one.engine, one.target, one.device, one.batch, one.input_size, one.dtype
