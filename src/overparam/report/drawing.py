"""`Chart` data to Vega-Lite: where everything goes is decided here, what it means in lab.figure.

A drawing has two halves. `chart_data` holds the numbers and depends on the figure alone;
`chart_spec` holds a layout (a width, a palette) and refers to them, so that a page carries its
numbers once and several layouts beside them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overparam.lab.figure import Chart, Figure, Panel
from overparam.report.formatting import format_interval, format_measured
from overparam.report.layers import Layers
from overparam.report.layout import Layout, plan_layout
from overparam.report.legend_panel import legend_panel
from overparam.report.palette import LIGHT, Identity, Looks, Style, report_looks, style_series
from overparam.report.scales import BEYOND, finite

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', Helvetica, Arial, sans-serif"
MAX_DOTS = 4_000  # single seeds drawn in one figure; beyond it bands alone are clearer


def chart_styles(chart: Chart, looks: Looks | None = None) -> dict[Identity, Style]:
    """Return the style of each series of the chart; a name looks the same in every panel.

    Args:
        looks: of the names of the report that the chart is in, from `figure_looks`.
    """
    return style_series([s for p in chart.panels for s in p.series], looks)


def figure_looks(figures: Sequence[Figure]) -> Looks:
    """Return the looks of all names in a report's charts: one method, one colour."""
    charts = [f for f in figures if isinstance(f, Chart)]
    return report_looks([[s for p in chart.panels for s in p.series] for chart in charts])


def chart_data(chart: Chart) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that every layout of `chart` draws: "rows" (points) and "dots" (seeds).

    Values that cannot be drawn (NaN, or not positive on a logarithmic axis) are None.
    """
    styles = chart_styles(chart)
    rows: list[dict[str, Any]] = []
    dots: list[dict[str, Any]] = []
    for number, panel in enumerate(chart.panels):
        for s in panel.series:
            style = styles[s.label, s.role, s.dashed]
            order = np.argsort(np.asarray(s.x, float), kind="stable")
            for i in order:
                x, y = _place(s.x[i], panel.x.scale), _place(s.y[i], panel.y.scale)
                if x is None:
                    continue
                low, high = (None if e is None else float(e[i]) for e in (s.low, s.high))
                seeds = [] if s.dots is None else np.asarray(s.dots, float)[i].ravel()
                rows.append(
                    {
                        "panel": number,
                        "key": style.key,
                        "id": f"{number}:{style.key}:{i}",
                        "x": x,
                        "y": y,
                        **_band(low, high, panel),
                        "name": style.label,
                        "x_text": _with_unit(s.x[i], panel.x.unit),
                        "y_text": _with_unit(s.y[i], panel.y.unit, low, high),
                        "interval": format_interval(low, high),
                        "seeds": int(np.isfinite(seeds).sum()) if len(seeds) else None,
                    }
                )
                places = [_place(v, panel.y.scale) for v in seeds]
                dots += [
                    {"panel": number, "key": style.key, "x": x, "y": v}
                    for v in places
                    if v is not None
                ]
    return {"rows": rows, "dots": dots if len(dots) <= MAX_DOTS else []}


def chart_spec(
    chart: Chart,
    palette: Mapping[str, str] = LIGHT,
    *,
    width: float = 900.0,
    titled: bool = False,
    interactive: bool = False,
    legend: bool = True,
    with_data: bool = True,
    height: float | None = None,
    looks: Looks | None = None,
) -> dict[str, Any]:
    """Return the Vega-Lite specification of `chart` for one width and one palette.

    Args:
        palette: name to colour, such as `palette.LIGHT` or `palette.PAGE`.
        width: of the whole drawing in pixels. height: of one panel, or None to choose.
        titled: write the title into the drawing (for files); a page has it as text.
        interactive: add tooltips and the parameters ``hidden`` (keys of series not to be
            drawn) and ``cursor`` (id of the point with a ring).
        legend: draw one where names do not fit at the line ends (a page has its own).
        looks: see `chart_styles`.
        with_data: include `chart_data`; otherwise the page adds it as ``datasets``.
    """
    styles = chart_styles(chart, looks)
    layout = plan_layout(chart, styles, width, height)
    needs_legend = legend and not layout.names_fit and len(styles) > 0
    layers = Layers(palette, styles, interactive)
    panels = [
        _panel_spec(panel, number, layout, layers, palette)
        for number, panel in enumerate(chart.panels)
    ]
    body = {"concat": panels, "columns": layout.columns, "spacing": {"row": 34, "column": 26}}
    if needs_legend:
        names = legend_panel(list(styles.values()), palette, width - 90)
        body = {"vconcat": [body, names], "spacing": 22}
    spec: dict[str, Any] = {
        "$schema": SCHEMA,
        "description": f"{chart.title}. {chart.caption}",
        "config": _config(palette),
        **body,
    }
    if interactive:
        spec["params"] = [{"name": "hidden", "value": []}, {"name": "cursor", "value": ""}]
    if titled:
        lines = layout.wrap_title(chart.title)
        spec["title"] = {"text": lines, "anchor": "start", "fontSize": 16, "offset": 18}
    if with_data:
        spec["datasets"] = chart_data(chart)
    return spec


def drawing_notes(chart: Chart) -> list[str]:
    """Return the sentences that say how the drawing is to be read: lines, bands, dots."""
    series = [(p, s) for p in chart.panels for s in p.series]
    notes = []
    for what, texts in (
        ("Line", [s.statistic for _, s in series if s.role != "theory"]),
        ("Band", [s.band for _, s in series if s.low is not None or s.high is not None]),
    ):
        if known := list(dict.fromkeys(t for t in texts if t)):
            notes.append(f"{what}: {'; '.join(known)}.")
    data = chart_data(chart)
    if data["dots"]:
        notes.append("Faint dots: single seeds.")
    elif any(s.dots is not None and np.isfinite(s.dots).any() for _, s in series):
        notes.append(f"Single seeds are not drawn: there are more than {MAX_DOTS:,} of them.")
    if any(r["y"] is None and r["y_text"][:1] in "0−" for r in data["rows"]):
        notes.append(
            "Values of 0 or below have no place on a logarithmic axis; the table has them."
        )
    if _is_cut(chart):
        notes.append("Some bands or seeds reach beyond the range drawn; the table has them.")
    return notes


def _panel_spec(
    panel: Panel, number: int, layout: Layout, layers: Layers, palette: Mapping[str, str]
) -> dict[str, Any]:
    place = layout.panels[number]
    most_rows = max(p.rows_above for p in layout.panels)
    drawn = [
        *layers.rules(place),
        *layers.curves(number, place, panel),
        *layers.names(place),
        *layers.level_labels(place),
    ]
    if not any(np.isfinite(np.asarray(s.y, float)).any() for s in panel.series):
        drawn.append(layers.sentence("no finite values to draw", place))
    return {
        "name": f"panel{number}",
        "width": place.width,
        "height": place.height,
        "title": {
            "text": layout.wrap_panel_title(panel.title) if panel.title else "",
            "offset": 8 + 14 * (most_rows - place.rows_above),
            "anchor": "start",
            "fontSize": 13,
            "color": palette["ink"],
        },
        "layer": drawn,
    }


def _is_cut(chart: Chart) -> bool:
    """Return whether a band or a seed lies outside its panel's range."""
    layout = plan_layout(chart, chart_styles(chart), 900.0)
    for panel, place in zip(chart.panels, layout.panels, strict=True):
        parts = [finite(v) for s in panel.series for v in (s.low, s.high, s.dots)]
        values = np.concatenate([*parts, finite(None)])
        values = values[values > 0] if place.y.log else values
        if ((values < place.y.low) | (values > place.y.high)).any():
            return True
    return False


def _place(value: Any, scale: str) -> float | None:
    number = float(value)
    drawable = abs(number) < BEYOND and (scale == "linear" or number > 1 / BEYOND)
    return number if drawable else None


def _band(low: float | None, high: float | None, panel: Panel) -> dict[str, float | None]:
    if low is None or high is None or not np.isfinite([low, high]).all():
        return {"low": None, "high": None}
    if panel.y.scale == "log":
        if high <= 0:
            return {"low": None, "high": None}
        low = max(low, high * 1e-12)  # a band that reaches 0 reaches the plot's lower edge
    return {"low": low, "high": high}


def _with_unit(value: Any, unit: str, low: float | None = None, high: float | None = None) -> str:
    text = format_measured(float(value), low, high)
    return f"{text} {unit}" if unit and text != "–" else text


def _config(palette: Mapping[str, str]) -> dict[str, Any]:
    return {
        "background": "transparent" if palette is not LIGHT else palette["paper"],
        "font": FONT,
        "aria": False,  # the figure element names itself; a name for every dot would be noise
        "view": {"stroke": None},
        "padding": 6,
        "title": {"color": palette["ink"], "font": FONT, "fontWeight": 600},
        "axis": {
            "labelColor": palette["muted"],
            "titleColor": palette["ink"],
            "titleFontWeight": 500,
            "titleFontSize": 12.5,
            "labelFontSize": 11.5,
            "titlePadding": 10,
            "gridColor": palette["grid"],
            "domainColor": palette["axis"],
            "tickColor": palette["axis"],
            "tickSize": 4,
            "labelOverlap": False,
        },
    }
