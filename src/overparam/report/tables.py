"""The numbers behind each figure: as rows for a page, as CSV in full, and a table drawn as SVG."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from overparam.lab.figure import Axis, Chart, Figure, HeatMap, ImageGrid, NetworkGallery, Table
from overparam.report.cell_tables import gallery_page_rows, gallery_rows, heat_rows
from overparam.report.drawing import FONT, chart_styles
from overparam.report.formatting import format_number
from overparam.report.palette import LIGHT
from overparam.report.placement import text_width, wrap


@dataclass(frozen=True)
class NumberTable:
    """Rows of a figure. columns: headers with units; rows: numbers, texts or None.

    Attributes:
        measured: places in a row of a value and of the ends of its interval; () for none.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    measured: tuple[int, ...] = ()


def figure_table(figure: Figure) -> NumberTable:
    """Return what the figure shows, one row for each point, image or row."""
    if isinstance(figure, Chart):
        return _chart_table(figure)
    if isinstance(figure, ImageGrid):
        return _image_table(figure)
    if isinstance(figure, NetworkGallery):
        return _numbers(*gallery_page_rows(figure))
    if isinstance(figure, HeatMap):
        return _numbers(*heat_rows(figure))
    units = [figure.units.get(name, "") for name in figure.columns]
    headers = [f"{n} ({u})" if u else n for n, u in zip(figure.columns, units, strict=True)]
    rows = zip(*figure.columns.values(), strict=True)
    return _numbers(headers, rows)


def csv_text(figure: Figure) -> str:
    """Return all numbers of the figure, single seeds and pixels too, at full precision."""
    if isinstance(figure, Chart):
        columns, rows = _chart_csv(figure)
    elif isinstance(figure, NetworkGallery):
        columns, rows = gallery_rows(figure)
    else:
        table = figure_table(figure)
        columns, rows = list(table.columns), [list(row) for row in table.rows]
        if isinstance(figure, ImageGrid):
            flat = np.asarray(figure.images, float).reshape(len(rows), -1)
            columns += [f"pixel_{i}" for i in range(flat.shape[1])]
            rows = [row + values.tolist() for row, values in zip(rows, flat, strict=True)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if _missing(v) else v for v in row] for row in rows])
    return out.getvalue()


def table_svg(table: Table, palette: Mapping[str, str] = LIGHT, *, titled: bool = False) -> str:
    """Return a standing table as an SVG document."""
    numbers = figure_table(table)
    headers = [wrap(h, 170, 12.5) for h in numbers.columns]
    texts = [[format_number(v) for v in row] for row in numbers.rows]
    widths = [
        max([text_width("\n".join(h), 13), *(text_width(row[k], 13) for row in texts)]) + 24
        for k, h in enumerate(headers)
    ]
    total_w = max(sum(widths) + 16, 240.0)
    title = wrap(table.title, max(total_w - 16, 320), 16) if titled else []
    total_w = max([total_w, *(text_width(t, 16) + 24 for t in title)])
    top = 21 * len(title) + 16 * max((len(h) for h in headers), default=0) + 18
    total_h = top + 24 * len(texts) + 12
    size = f'width="{total_w:.0f}" height="{total_h:.0f}" viewBox="0 0 {total_w:.0f} {total_h:.0f}"'
    font = f'font-family="{escape(FONT)}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>']
    parts.append(f'<rect width="100%" height="100%" fill="{palette["paper"]}"/>')

    def write(x: float, y: float, text: str, end: bool, weight: int, font_size: float) -> None:
        anchor = "end" if end else "start"
        parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{palette["ink"]}" font-size="{font_size}"'
            f' text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
        )

    for i, line in enumerate(title):
        write(8, 20 + 21 * i, line, False, 600, 16)
    x = 8.0
    for k, width in enumerate(widths):
        numeric = all(not isinstance(row[k], str) for row in numbers.rows)
        at = x + width - 12 if numeric else x + 6
        for i, line in enumerate(headers[k]):
            write(at, top - 10 - 16 * (len(headers[k]) - 1 - i), line, numeric, 600, 12.5)
        for r, row in enumerate(texts):
            write(at, top + 17 + 24 * r, row[k], numeric, 400, 13)
        x += width
    for r in range(len(texts) + 1):
        color = palette["axis" if r == 0 else "grid"]
        y = top + 24 * r
        parts.append(f'<path d="M8 {y}H{total_w - 8:.0f}" stroke="{color}"/>')
    return "".join([*parts, "</svg>"])


def _numbers(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> NumberTable:
    return NumberTable(tuple(columns), tuple(tuple(map(_plain, row)) for row in rows))


def _chart_table(chart: Chart) -> NumberTable:
    styles = chart_styles(chart)
    panels = len(chart.panels) > 1
    x_title = _common([p.x for p in chart.panels], "x")
    y_title = _common([p.y for p in chart.panels], "y")
    titles = _panel_titles(chart)
    rows = []
    for title, panel in zip(titles, chart.panels, strict=True):
        for s in panel.series:
            name = styles[s.label, s.role, s.dashed].label
            for i in np.argsort(np.asarray(s.x, float), kind="stable"):
                low, high = (None if e is None else _plain(e[i]) for e in (s.low, s.high))
                seeds = None if s.dots is None else int(np.isfinite(_dots(s, i)).sum())
                row = (name, _plain(s.x[i]), _plain(s.y[i]), low, high, seeds)
                rows.append((title, *row) if panels else row)
    columns = ("Series", x_title, y_title, "Low", "High", "Seeds")
    measured = (3, 4, 5) if panels else (2, 3, 4)
    return NumberTable(("Panel", *columns) if panels else columns, tuple(rows), measured)


def _chart_csv(chart: Chart) -> tuple[list[str], list[list[Any]]]:
    styles = chart_styles(chart)
    series = [s for p in chart.panels for s in p.series if s.dots is not None]
    most = max(
        (np.asarray(s.dots, float).reshape(len(s.x), -1).shape[1] for s in series), default=0
    )
    rows = []
    for title, panel in zip(_panel_titles(chart), chart.panels, strict=True):
        for s in panel.series:
            name = styles[s.label, s.role, s.dashed].label
            for i in range(len(s.x)):
                low, high = (None if e is None else _plain(e[i]) for e in (s.low, s.high))
                head = [title, name, s.role, panel.x.title, _plain(s.x[i])]
                head += [panel.y.title, _plain(s.y[i]), low, high, s.statistic, s.band]
                dots = [] if s.dots is None else _dots(s, i).tolist()
                rows.append(head + dots + [None] * (most - len(dots)))
    columns = ["panel", "series", "role", "x_quantity", "x", "y_quantity", "y", "low", "high"]
    columns += ["statistic", "band"]
    return columns + [f"seed_{k + 1}" for k in range(most)], rows


def _image_table(grid: ImageGrid) -> NumberTable:
    rows = []
    for r, row in enumerate(np.asarray(grid.images, float)):
        for c, image in enumerate(row):
            seen = image[np.isfinite(image)]
            least, mean, most = (
                (float(seen.min()), float(seen.mean()), float(seen.max()))
                if seen.size
                else (None, None, None)
            )
            note = (grid.notes[r][c],) if grid.notes else ()
            rows.append((grid.row_labels[r], grid.column_labels[c], least, mean, most, *note))
    columns = ("Row", "Column", "Smallest value", "Mean value", "Largest value")
    return NumberTable(columns + (("Note",) if grid.notes else ()), tuple(rows))


def _panel_titles(chart: Chart) -> list[str]:
    return [p.title or p.y.quantity for p in chart.panels]


def _common(axes: list[Axis], otherwise: str) -> str:
    titles = {f"{a.quantity} ({a.unit})" if a.unit else a.quantity for a in axes}
    return titles.pop() if len(titles) == 1 else otherwise


def _dots(series: Any, i: int) -> np.ndarray:
    return np.atleast_1d(np.asarray(series.dots, float)[i]).ravel()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    return None if _missing(value) else value


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))
