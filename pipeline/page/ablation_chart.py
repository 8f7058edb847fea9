"""The figure of ablations: how much longer a network takes without each step."""

from collections.abc import Sequence
from typing import Any

from pipeline.ablation.records import Ablation
from pipeline.page.encodings import Spec, colour, log_axis, spec, tips

ROW = 34


def ablation_chart(ablations: Sequence[Ablation]) -> Spec | None:
    """A bar for each step, from one to how many times as long it takes without it."""
    rows: list[dict[str, Any]] = [
        {
            "variant": row.what,
            "without": row.without,
            "model": _name(one),
            "slower": one.times_slower(row),
            "ms": row.result.latency_ms.p50,
        }
        for one in ablations
        for row in one.rows
    ]
    if not rows:
        return None
    names = list(dict.fromkeys(row["model"] for row in rows))
    x = log_axis("slower", "times as long without it", [1.0, *(row["slower"] for row in rows)])
    steps = list(dict.fromkeys(row["variant"] for row in rows))
    return spec(
        height=(ROW + 12 * (len(names) - 1)) * len(steps),
        data={"values": rows},
        mark={"type": "bar", "cornerRadiusEnd": 2},
        encoding={
            "y": {
                "field": "variant", "type": "nominal", "sort": steps, "title": None,
                "axis": {"labelLimit": 190, "domain": False, "ticks": False},
                "scale": {"paddingInner": 0.3},
            },
            "yOffset": {"field": "model", "type": "nominal", "sort": names},
            "x": x,
            "x2": {"datum": 1},
            "color": colour("model", names),
            "tooltip": tips(
                variant="step", without="instead", model="model", slower="times as long", ms="ms"
            ),
        },
    )  # fmt: skip


def _name(one: Ablation) -> str:
    threads = one.whole.threads
    return f"{one.whole.model}, {threads} thread{'s' if threads > 1 else ''}"
