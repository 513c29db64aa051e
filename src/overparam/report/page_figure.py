"""One figure as it stands in a page: its drawing, its numbers, and what scripts draw it from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overparam.lab.figure import Chart, Figure, NetworkGallery, Table
from overparam.report.drawing import chart_data, chart_spec
from overparam.report.export import figure_svg, file_stem
from overparam.report.figure_content import FigureContent
from overparam.report.formatting import format_measured, format_number
from overparam.report.gallery_page import gallery_grids, gallery_payload
from overparam.report.legend import legend_chips
from overparam.report.page import own_names, render_template, script_safe_json
from overparam.report.palette import PAGE, Looks
from overparam.report.tables import csv_text

WIDE, NARROW = 950.0, 350.0  # widths of a chart's two layouts, pixels
_MOST_ROWS = 400  # table rows of one figure shown in the page


@dataclass(frozen=True)
class Cell:
    """One table cell as it is shown; text is written from the left, numbers from the right."""

    value: str
    text: bool


@dataclass(frozen=True)
class PageFigure:
    """One figure as the page shows it. svg is "" where the page has no room for it."""

    words: FigureContent
    svg: Any
    rows: list[list[Cell]]
    n_rows: int
    chips: list[dict[str, Any]]
    csv: str
    payload: dict[str, Any]

    @property
    def can_save(self) -> bool:
        """Whether the page holds a drawing of the figure, shown or only to be saved."""
        return bool(self.svg or self.payload.get("svg"))


def page_figure(
    figure: Figure, number: int, looks: Looks, words: FigureContent, width: float = WIDE
) -> PageFigure:
    """Return one figure as a page shows it.

    Args:
        number: of the figure on its page. looks: of the names in all of the page's figures.
        words: from `describe_figure`. width: of a chart's wide layout, pixels.
    """
    from markupsafe import Markup

    payload: dict[str, Any] = {"stem": file_stem(figure.name), "csv": csv_text(figure)}
    chips: list[dict[str, Any]] = []
    svg = ""
    if isinstance(figure, NetworkGallery):
        svg = render_template("gallery.html.j2", g=gallery_grids(figure, number))
        payload |= gallery_payload(figure, svg)
    elif not isinstance(figure, Table):
        drawing = figure_svg(figure, PAGE, width=width, titled=False, looks=looks)
        svg = own_names(drawing, f"f{number}")
    elif len(words.rows) <= _MOST_ROWS:
        payload["svg"] = figure_svg(figure, PAGE, titled=False)
    if isinstance(figure, Chart):
        options: dict[str, Any] = {"interactive": True, "legend": False}
        options |= {"with_data": False, "looks": looks}
        payload |= {
            "wide": chart_spec(figure, PAGE, width=width, **options),
            "narrow": chart_spec(figure, PAGE, width=NARROW, **options),
            "datasets": chart_data(figure),
            "axes": [{"x": p.x.quantity, "y": p.y.quantity} for p in figure.panels],
        }
        chips = legend_chips(figure, looks)
    rows = [
        [Cell(text, isinstance(v, str)) for v, text in zip(row, row_texts(row, words), strict=True)]
        for row in words.rows[:_MOST_ROWS]
    ]
    return PageFigure(words, Markup(svg), rows, len(words.rows), chips, payload["csv"], payload)


def fit_figures(pages: list[PageFigure], budget: int) -> list[PageFigure]:
    """Leave out what exceeds a budget of bytes: drawings in order of the figures, then CSVs."""
    kept = []
    for page in pages:
        essential = {k: v for k, v in page.payload.items() if k != "csv"}
        size = len(script_safe_json(essential).encode()) + len(page.svg.encode())
        size += sum(len(c.value.encode()) + 12 for row in page.rows for c in row)
        if size <= budget:
            budget -= size
            kept.append(page)
        else:
            bare = {"stem": page.payload["stem"], "csv": page.payload["csv"]}
            kept.append(dataclasses.replace(page, svg="", chips=[], rows=[], payload=bare))
    for i, page in enumerate(kept):
        size = len(script_safe_json(page.csv).encode())
        if size <= budget:
            budget -= size
        else:
            kept[i] = dataclasses.replace(page, csv="", payload={**page.payload, "csv": ""})
    return kept


def row_texts(row: Sequence[Any], words: FigureContent) -> list[str]:
    """Return the cells of a row as they are written: measured values as their interval allows."""
    texts = [format_number(v, 4) for v in row]
    if words.measured:
        ends = tuple(row[k] for k in words.measured[1:])
        if None not in ends:
            for k in words.measured:
                texts[k] = format_measured(row[k], *ends)
    return texts
