"""A drawing's legend as a panel of its own: a sample of every line, and its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overparam.report.palette import Style
from overparam.report.placement import LINE_HEIGHT, text_width, wrap


def legend_panel(
    styles: Sequence[Style], palette: Mapping[str, str], width: float
) -> dict[str, Any]:
    """Return a panel of line samples and names, for drawings whose line ends have no room."""
    widest = max(text_width(s.label) for s in styles) + 62
    columns = max(int(width // widest), 1)
    lines = [wrap(s.label, min(widest, width) - 50) for s in styles]
    layers: list[dict[str, Any]] = []
    top = 0.0
    for start in range(0, len(styles), columns):
        row = range(start, min(start + columns, len(styles)))
        for i in row:
            left = (i - start) * width / columns
            layers += _sample(styles[i], palette, lines[i], left, top + LINE_HEIGHT / 2)
        top += LINE_HEIGHT * max(len(lines[i]) for i in row) + 5
    return {"width": width, "height": top, "layer": layers}


def _sample(
    style: Style, palette: Mapping[str, str], lines: list[str], left: float, y: float
) -> list[dict[str, Any]]:
    color = palette[style.color]
    dash = {"strokeDash": list(style.dash) or [1, 0], "strokeWidth": style.width}
    at = {"y": {"value": y}}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "color": color, **dash},
            "encoding": {"x": {"value": left}, "x2": {"value": left + 34}, **at},
        },
        {
            "mark": {
                "type": "point",
                "filled": True,
                "opacity": 1,
                "color": color,
                "shape": style.look.marker,
                "size": 0 if style.role == "theory" else 34,
            },
            "encoding": {"x": {"value": left + 17}, **at},
        },
        *(
            {
                "mark": {"type": "text", "align": "left", "baseline": "middle", "fontSize": 12},
                "encoding": {
                    "x": {"value": left + 42},
                    "y": {"value": y + i * LINE_HEIGHT},
                    "text": {"value": text},
                    "color": {"value": palette["ink"]},
                },
            }
            for i, text in enumerate(lines)
        ),
    ]
    return [{"data": {"values": [{}]}, **layer} for layer in layers]
