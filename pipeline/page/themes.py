"""How the figures look, on light and on dark ground; the page's own colours are in page.css."""

from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def theme(ink: str, faint: str, ground: str | None) -> dict[str, Any]:
    """A Vega-Lite configuration: text, lines of the grid, and what is behind."""
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12}
    return {
        "background": ground,
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            **text, "titleFontWeight": 500, "gridColor": faint, "domainColor": faint,
            "tickColor": faint, "titlePadding": 8, "labelPadding": 5, "labelOverlap": "greedy",
        },
        "legend": {
            **text, "orient": "bottom", "direction": "horizontal", "columns": 2,
            "titleFontWeight": 500, "labelLimit": 220, "symbolSize": 90, "rowPadding": 4,
            "symbolStrokeColor": ink, "symbolBaseStrokeColor": ink, "symbolBaseFillColor": ink,
        },
        "line": {"color": ink},
        "text": {"color": ink},
    }  # fmt: skip


LIGHT = theme("#22282f", "#dfe3e8", None)
DARK = theme("#dbe1e8", "#37404a", None)
# A figure on its own may be shown on any ground.
PRINT = theme("#22282f", "#dfe3e8", "white")
