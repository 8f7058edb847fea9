"""The figures of kernels: the roofline, and the time of each in network order."""

from collections.abc import Sequence
from typing import Any

from pipeline.page.encodings import Spec, axis, colour, log_axis, shape, spec, tips
from pipeline.profiling.records import Call, Profile

ROW = 21
# What a kernel is called by the operators that it holds; the first line that holds counts.
WORKS: tuple[tuple[set[str], str], ...] = (
    ({"firstconvolution"}, "first convolution"),
    ({"firstconvolutiondeep"}, "first convolution"),
    ({"pooledfirstconvolution"}, "first convolution"),
    ({"convolution"}, "convolution"),
    ({"depthwise", "pointwise"}, "depthwise + pointwise"),
    ({"depthwise"}, "depthwise"),
    ({"pointwise"}, "pointwise"),
    ({"pool"}, "pool"),
    ({"rowpool"}, "pool"),
    (set(), "other"),
)


def roofline_chart(profiles: Sequence[Profile]) -> Spec | None:
    """Every kernel between the ceiling of arithmetic and the slopes of memory."""
    rows: list[dict[str, Any]] = [
        {
            "model": profile.model,
            "module": call.path or call.function,
            "work": work_of(call),
            "intensity": call.intensity,
            "rate": call.gmacs,
            "share": call.gmacs / profile.peak_gmacs,
            "ms": call.ms,
        }
        for profile in profiles
        for call in profile.calls
        if call.macs
    ]
    if not rows:
        return None
    ceilings = _ceilings(profiles[0], [row["intensity"] for row in rows])
    every = [*rows, *ceilings]
    title = "multiply-adds a byte that the kernel reads or writes"
    x = log_axis("intensity", title, (row["intensity"] for row in every))
    y = log_axis("rate", "GMAC/s", (row["rate"] for row in every))
    lines = {
        "mark": {"type": "line", "strokeWidth": 1.2},
        "encoding": {"x": x, "y": y, "detail": {"field": "ceiling", "type": "nominal"}},
    }
    names = {
        "mark": {"type": "text", "align": "left", "dx": 4, "dy": 14, "fontSize": 11},
        "transform": [{"filter": "datum.named == 'below'"}],
        "encoding": {"x": x, "y": y, "text": {"field": "ceiling", "type": "nominal"}},
    }
    above = {
        **names,
        "mark": {"type": "text", "align": "right", "dy": -9, "fontSize": 11},
        "transform": [{"filter": "datum.named == 'above'"}],
    }
    points = {
        "mark": {"type": "point", "filled": True, "opacity": 0.85},
        "encoding": {
            "x": x, "y": y,
            "color": colour("model", (row["model"] for row in rows)),
            "shape": shape("work", works(profiles)),
            "size": axis("ms", "ms", scale={"range": [40, 240]}, legend=None),
            "tooltip": tips(
                model="model", module="module", work="kernel", intensity="multiply-adds a byte",
                rate="GMAC/s", share="of peak", ms="ms",
            ),
        },
        "data": {"values": rows},
    }  # fmt: skip
    guides = {"data": {"values": ceilings}, "layer": [lines, names, above]}
    return spec(layer=[guides, points])


def layers_chart(profile: Profile, longest_ms: float, kinds: Sequence[str]) -> Spec:
    """The time of each kernel; `longest_ms` is where the axis ends, `kinds` have the colours."""
    rows = [
        {
            "order": number,
            "label": f"{number + 1:>2}  {_short(call)}",
            "modules": ", ".join(call.paths) or call.function,
            "work": work_of(call),
            "ms": call.ms,
            "share": call.ms / profile.kernels_ms,
            "rate": call.gmacs,
            "peak": call.gmacs / profile.peak_gmacs,
        }
        for number, call in enumerate(profile.calls)
    ]
    return spec(
        height=ROW * len(rows),
        data={"values": rows},
        mark={"type": "bar", "cornerRadiusEnd": 2, "height": ROW - 6},
        encoding={
            "y": {
                "field": "label", "type": "nominal", "sort": {"field": "order"}, "title": None,
                "axis": {"labelLimit": 190, "domain": False, "ticks": False},
            },
            "x": axis("ms", "ms", scale={"domain": [0, longest_ms]}, axis={"tickCount": 6}),
            "color": colour("work", kinds),
            "tooltip": tips(
                modules="modules", work="kernel", ms="ms", share="of the time", rate="GMAC/s",
                peak="of peak",
            ),
        },
    )  # fmt: skip


def works(profiles: Sequence[Profile]) -> list[str]:
    """The kinds of kernels there are, in one order for all figures."""
    found = {work_of(call) for one in profiles for call in one.calls}
    return list(dict.fromkeys(name for _, name in WORKS if name in found))


def work_of(call: Call) -> str:
    """What a kernel is called by its operators."""
    names = {name.lower() for name in call.operators}
    return next(name for needed, name in WORKS if needed <= names)


def _short(call: Call) -> str:
    """A name for a row: the first module's unit, as "stage1.unit2"."""
    if not call.paths:
        return call.function
    return ".".join(call.paths[0].removeprefix("features.").split(".")[:2])


def _ceilings(profile: Profile, intensities: Sequence[float]) -> list[dict[str, Any]]:
    """Two points of each line: what arithmetic allows, and each kind of memory."""
    low, high, peak = min(intensities), max(intensities), profile.peak_gmacs
    lines = [
        (f"{name} {rate:.0f} GB/s", [low, min(max(peak / rate, low), high)], rate)
        for name, rate in profile.bandwidth.items()
    ]
    points = [
        {
            "ceiling": name,
            "intensity": x,
            "rate": min(rate * x, peak),
            "named": "below" if x == low else "",
        }
        for name, ends, rate in lines
        for x in ends
        if rate * low < peak
    ]
    arithmetic = f"multiply-adds {peak:.0f} GMAC/s"
    return points + [
        {"ceiling": arithmetic, "intensity": x, "rate": peak, "named": named}
        for x, named in ((low, ""), (high, "above"))
    ]
