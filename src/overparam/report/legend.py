"""A chart's legend in a page: one button a series, with the line and marker that it names."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.lab.figure import Chart
from overparam.report.drawing import chart_styles
from overparam.report.palette import PAGE, Looks, Style

_SWATCH = {  # markers as SVG paths around (17, 6)
    "circle": "M13.5 6a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0",
    "square": "M14 3h6v6h-6z",
    "diamond": "M17 1.8L20.6 6L17 10.2L13.4 6z",
    "triangle-up": "M17 2L21 9.4H13z",
    "triangle-down": "M17 10L13 2.6H21z",
    "cross": "M15.8 2h2.4v2.8H21v2.4h-2.8V10h-2.4V7.2H13V4.8h2.8z",
}


def legend_chips(chart: Chart, looks: Looks | None = None) -> list[dict[str, Any]]:
    """Return key, label and swatch of each series; `empty` where it has no finite value."""
    from markupsafe import Markup

    styles = chart_styles(chart, looks)
    drawable = {
        (s.label, s.role, s.dashed)
        for p in chart.panels
        for s in p.series
        if np.isfinite(np.asarray(s.y, float)).any()
    }
    return [
        {
            "key": style.key,
            "label": style.label,
            "swatch": Markup(_swatch(style)),
            "empty": identity not in drawable,
        }
        for identity, style in styles.items()
    ]


def _swatch(style: Style) -> str:
    color, dash = PAGE[style.color], " ".join(map(str, style.dash)) or "none"
    marker = (
        "" if style.role == "theory" else f'<path d="{_SWATCH[style.look.marker]}" fill="{color}"/>'
    )
    return (
        '<svg width="34" height="12" viewBox="0 0 34 12" aria-hidden="true"><path d="M0 6H34"'
        f' stroke="{color}" stroke-width="{style.width}" stroke-dasharray="{dash}"/>{marker}</svg>'
    )
