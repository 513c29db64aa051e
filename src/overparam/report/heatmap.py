"""`HeatMap` to SVG: panels side by side on one colour scale, numbers where they fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np

from overparam.lab.figure import HeatMap
from overparam.report import svg
from overparam.report.cell_tables import column_names
from overparam.report.formatting import format_number
from overparam.report.heat_colors import heat_colors, ink_on
from overparam.report.palette import LIGHT
from overparam.report.placement import LINE_HEIGHT, text_width, wrap
from overparam.report.png import data_url, encode_png

_CELL_WIDTHS = (26.0, 74.0)  # least and greatest width of a cell, pixels
_CELL_HEIGHTS = (20.0, 34.0)
_GAP = 30.0  # between panels
_LABEL = 11.5  # font size of the labels at the axes
_NUMBER = 11.0  # font size of the numbers in the cells
_BAR = (220.0, 12.0)
_LEAST = 0.8  # on a narrow screen the drawing shrinks this far before it scrolls


@dataclass(frozen=True)
class _Plan:
    """Sizes in pixels. x: borders of the columns. per_line: panels side by side."""

    left: float
    x: np.ndarray
    cell_height: float
    per_line: int
    turned: bool
    title_lines: int
    below: float


def heat_map_svg(
    heat: HeatMap,
    palette: Mapping[str, str] = LIGHT,
    *,
    width: float = 900.0,
    titled: bool = False,
) -> str:
    """Return the heat map as an SVG document of about `width` pixels; cells name their numbers."""
    plan = _plan(heat, width)
    panel_w, panel_h = float(plan.x[-1]), plan.cell_height * len(heat.y_labels)
    step = panel_w + _GAP
    total_w = max(plan.left + plan.per_line * step - _GAP + 12, plan.left + _BAR[0] + 40)
    parts = svg.heading(heat.title, total_w, palette) if titled else []
    top = svg.heading_height(heat.title, total_w) + 6 if titled else 0.0
    above = LINE_HEIGHT * plan.title_lines + 12
    line_h = above + panel_h + plan.below
    for p in range(len(heat.panels)):
        line, place = divmod(p, plan.per_line)
        at = (plan.left + place * step, top + line * line_h + above)
        parts += _panel(heat, p, at, plan, palette, first=place == 0)
    n_lines = -(-len(heat.panels) // plan.per_line)
    bottom = top + n_lines * line_h + 8
    parts += _color_bar(heat, plan.left, bottom, palette)
    return svg.document(parts, total_w, bottom + 52, heat.title, least_width=_LEAST * total_w)


def heat_notes(heat: HeatMap) -> list[str]:
    """Return the sentences that say how the colours are to be read."""
    values = np.array([v for _, v in heat.panels], float)
    seen = values[~np.isnan(values)]
    reach = max(abs(heat.low), abs(heat.high))
    low, high = (-reach, reach) if heat.diverging else (heat.low, heat.high)
    notes = ["All panels share the colour scale drawn below them."] if len(values) > 1 else []
    if np.isnan(values).any():
        notes.append("Dashed cells have no value.")
    if ((seen < low) | (seen > high)).any():
        notes.append("Values beyond the scale have the colour of its end.")
    return notes


def _plan(heat: HeatMap, width: float) -> _Plan:
    names = max((text_width(label, _LABEL) for label in heat.y_labels), default=0.0)
    left = names + 34
    n_columns = len(column_names(heat))
    per_line = max(len(heat.panels), 1)
    while True:
        room = (width - left - 12 - _GAP * (per_line - 1)) / per_line / n_columns
        if room >= _CELL_WIDTHS[0] or per_line == 1:
            break
        per_line = -(-per_line // 2)  # lines of like length
    cell_w = min(max(room, _CELL_WIDTHS[0]), _CELL_WIDTHS[1])
    borders = np.arange(n_columns + 1) / n_columns
    if heat.x_edges is not None:
        edges = np.asarray(heat.x_edges, float)
        edges = np.log(edges) if heat.x.scale == "log" else edges
        borders = (edges - edges[0]) / (edges[-1] - edges[0])
    longest = max((text_width(label, _LABEL) for label in heat.x_labels), default=0.0)
    turned = longest > cell_w - 3
    title_lines = max(
        (len(wrap(title, cell_w * n_columns, 13)) if title else 0 for title, _ in heat.panels),
        default=0,
    )
    labels = 0.9 * longest if turned else LINE_HEIGHT
    return _Plan(
        left,
        borders * cell_w * n_columns,
        min(max(0.6 * cell_w, _CELL_HEIGHTS[0]), _CELL_HEIGHTS[1]),
        per_line,
        turned,
        title_lines,
        labels + 44,
    )


def _panel(
    heat: HeatMap,
    number: int,
    at: tuple[float, float],
    plan: _Plan,
    palette: Mapping[str, str],
    first: bool,
) -> list[str]:
    title, values = heat.panels[number]
    values = np.asarray(values, float)
    colors = heat_colors(values, heat.low, heat.high, heat.diverging)
    left, top = at
    lines = wrap(title, float(plan.x[-1]), 13) if title else []
    parts = [
        svg.text(left, top - 8 - LINE_HEIGHT * i, line, palette["ink"], 13, weight=600)
        for i, line in enumerate(reversed(lines))
    ]
    for r, label in enumerate(heat.y_labels):
        y = top + r * plan.cell_height
        if first:
            middle = y + plan.cell_height / 2 + 4
            parts.append(svg.text(left - 8, middle, label, palette["muted"], _LABEL, "end"))
        for c in range(values.shape[1]):
            x = left + float(plan.x[c])
            box = (x, y, float(plan.x[c + 1] - plan.x[c]), plan.cell_height)
            parts.append(_cell(heat, (number, r, c), values[r, c], colors[r, c], box, palette))
    middle = top + plan.cell_height * len(heat.y_labels) / 2
    if first:
        x = left - plan.left + 14
        turn = f'<g transform="rotate(-90 {x:.1f} {middle:.1f})">'
        parts.append(turn + svg.text(x, middle, heat.y.title, palette["ink"], 12.5, "middle", 500))
        parts.append("</g>")
    bottom = top + plan.cell_height * len(heat.y_labels)
    parts += _column_labels(heat, plan, left, bottom, palette)
    x = left + float(plan.x[-1]) / 2
    y = bottom + plan.below - 22
    parts.append(svg.text(x, y, heat.x.title, palette["ink"], 12.5, "middle", 500))
    return parts


def _cell(
    heat: HeatMap,
    place: tuple[int, int, int],
    value: float,
    color: np.ndarray,
    box: svg.Box,
    palette: Mapping[str, str],
) -> str:
    p, r, c = place
    x, y, width, height = box
    mark = f'class="heat-cell" data-cell="{p}:{r}:{c}"'
    title = f"<title>{escape(_sentence(heat, place, value))}</title>"
    if np.isnan(value):
        inner = svg.place((x + 2, y + 2, width - 4, height - 4))
        return (
            f'<rect {mark} {inner} fill="{palette["paper"]}" stroke="{palette["axis"]}"'
            f' stroke-dasharray="2 3">{title}</rect>'
        )
    fill = "#" + "".join(f"{int(k):02x}" for k in color)
    rect = (
        f'<rect {mark} x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
        f' fill="{fill}" stroke="{palette["paper"]}" stroke-width="1">{title}</rect>'
    )
    words = _short(float(value), heat.high - heat.low)
    if text_width(words, _NUMBER) > width - 1:
        return rect
    number = svg.text(x + width / 2, y + height / 2 + 4, words, ink_on(color), _NUMBER, "middle")
    return rect + f'<g pointer-events="none" aria-hidden="true">{number}</g>'


def _short(value: float, span: float) -> str:
    """Return a number as a cell shows it: as many decimals in each cell, about 1 % of the span."""
    if not np.isfinite(value) or not 0 < abs(span) < 1e4 or abs(value) >= 1e5:
        return format_number(value, 2)
    decimals = max(0, 2 - math.floor(math.log10(abs(span))))
    words = f"{value:.{decimals}f}" if decimals <= 4 else format_number(value, 2)
    return f"{0:.{decimals}f}" if not words.strip("-0.") else words.replace("-", "−")


def _sentence(heat: HeatMap, place: tuple[int, int, int], value: float) -> str:
    """Return what a cell says: where it is, its number and its note."""
    p, r, c = place
    where = [heat.panels[p][0]] if heat.panels[p][0] else []
    where.append(f"{heat.y.quantity} {heat.y_labels[r]}")
    where.append(f"{heat.x.quantity} {column_names(heat)[c]}")
    number = "no value" if np.isnan(value) else format_number(float(value))
    number += f" {heat.unit}" if heat.unit and not np.isnan(value) else ""
    note = heat.notes[p][r][c] if heat.notes is not None else ""
    return f"{', '.join(where)}: {heat.quantity} {number}" + (f". {note}" if note else "")


def _column_labels(
    heat: HeatMap, plan: _Plan, left: float, bottom: float, palette: Mapping[str, str]
) -> list[str]:
    color, parts = palette["muted"], []
    if heat.x_edges is None:
        for c, label in enumerate(heat.x_labels):
            x = left + float(plan.x[c] + plan.x[c + 1]) / 2
            if not plan.turned:
                parts.append(svg.text(x, bottom + 15, label, color, _LABEL, "middle"))
                continue
            turn = f'<g transform="rotate(-90 {x + 4:.1f} {bottom + 7:.1f})">'
            parts += [turn, svg.text(x + 4, bottom + 7, label, color, _LABEL, "end"), "</g>"]
        return parts
    free = -np.inf  # where the last label ended: those that would overlap it are left out
    for border, edge in zip(plan.x, heat.x_edges, strict=True):
        x, words = left + float(border), format_number(float(edge))
        parts.append(f'<path d="M{x:.1f} {bottom:.1f}v4" stroke="{palette["axis"]}"/>')
        if x - text_width(words, _LABEL) / 2 > free:
            parts.append(svg.text(x, bottom + 16, words, color, _LABEL, "middle"))
            free = x + text_width(words, _LABEL) / 2 + 4
    return parts


def _color_bar(heat: HeatMap, x: float, y: float, palette: Mapping[str, str]) -> list[str]:
    low, high = heat.low, heat.high
    if heat.diverging:
        high = max(abs(low), abs(high))
        low = -high
    rgb = heat_colors(np.linspace(low, high, 128)[None], low, high, heat.diverging)
    rgba = np.concatenate([rgb, np.full((1, 128, 1), 255, np.uint8)], -1)
    title = f"{heat.quantity} ({heat.unit})" if heat.unit else heat.quantity
    box = svg.place((x, y + 18, *_BAR))
    parts = [
        svg.text(x, y + 8, title, palette["ink"], 12.5, weight=500),
        f'<image {box} href="{data_url(encode_png(rgba))}" preserveAspectRatio="none"/>',
        f'<rect {box} fill="none" stroke="{palette["axis"]}"/>',
    ]
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        words = format_number(low + share * (high - low))
        parts.append(svg.text(x + share * _BAR[0], y + 44, words, palette["muted"], 11.5, anchor))
    return parts
