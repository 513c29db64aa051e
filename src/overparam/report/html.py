"""The report as one HTML file that needs nothing else: no network, no folder beside it.

The page works without scripts (static drawings, tables, words); scripts add the interactive
charts, file buttons and the theme switch. `page.py` has what it shares with other pages.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overparam.lab.figure import Chart, Figure, NetworkGallery, Table
from overparam.report.arms import SYMBOLS, Arm, ClauseContent, interval_sentence
from overparam.report.content import Content
from overparam.report.drawing import chart_data, chart_spec, figure_looks
from overparam.report.export import figure_svg, file_stem
from overparam.report.facts import design_sentence, head_facts, provenance_rows
from overparam.report.figure_content import FigureContent
from overparam.report.formatting import format_measured, format_number
from overparam.report.gallery_page import gallery_grids, gallery_payload
from overparam.report.legend import legend_chips
from overparam.report.page import (
    own_names,
    page_policy,
    page_script,
    page_style,
    render_template,
    script_safe_json,
    vega_bundle,
)
from overparam.report.palette import LIGHT, PAGE, Looks
from overparam.report.tables import csv_text
from overparam.report.thumbnails import thumbnail_svg

SIZE_LIMIT = 3_000_000  # bytes of a report
WIDE, NARROW = 950.0, 350.0  # widths of a chart's two layouts, pixels
_MOST_ROWS = 400  # table rows of one figure shown in the page
_SCRIPTS = ("tip.js", "theme.js", "gallery.js", "heatmap.js", "report.js")
_STYLES = ("page.css", "report.css", "gallery.css")
_STATES = {"shown": "✓", "refuted": "✗", "undecided": "?"}


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


def render_html(content: Content, figures: Sequence[Figure]) -> str:
    """Return the report as one HTML document of at most `SIZE_LIMIT` bytes.

    Args:
        content: from `content.describe`. figures: the study's figures, in the same order.

    Figures whose drawing or CSV would exceed the limit are left out of the page, which says so.
    """
    from markupsafe import Markup

    bundle, own_script = vega_bundle(), page_script(_SCRIPTS)
    looks = figure_looks(figures)
    pages = [
        _page_figure(w, f, i, looks)
        for i, (w, f) in enumerate(zip(content.figures, figures, strict=True))
    ]
    pages = _fit(pages, SIZE_LIMIT - len(bundle.encode()) - 150_000)
    payload = {"light": dict(LIGHT), "figures": [p.payload for p in pages]}
    names = ("diverged", "failed", "missing")
    words = ("cells diverged", "cells failed", "cells are missing")
    commands = [("This study", content.command), ("At the paper's scale", content.full_command)]
    return render_template(
        "report.html.j2",
        c=content,
        policy=Markup(page_policy(bundle, own_script)),
        css=Markup(page_style(_STYLES)),
        arms=_arms(content.arms),
        thumbnail=Markup(own_names(thumbnail_svg(figures[0]), "thumbnail") if figures else ""),
        facts=head_facts(content),
        figures=pages,
        design=design_sentence(content),
        troubles=[(w, getattr(content, n)) for n, w in zip(names, words, strict=True)],
        commands=[(w, text) for w, text in commands if text],
        provenance=provenance_rows(content),
        notes=content.provenance.get("notes") or [],
        payload=Markup(script_safe_json(payload)),
        bundle=Markup(bundle),
        script=Markup(own_script),
    )


def _page_figure(words: FigureContent, figure: Figure, number: int, looks: Looks) -> PageFigure:
    from markupsafe import Markup

    payload: dict[str, Any] = {"stem": file_stem(figure.name), "csv": csv_text(figure)}
    chips: list[dict[str, Any]] = []
    svg = ""
    if isinstance(figure, NetworkGallery):
        svg = render_template("gallery.html.j2", g=gallery_grids(figure, number))
        payload |= gallery_payload(figure, svg)
    elif not isinstance(figure, Table):
        drawing = figure_svg(figure, PAGE, width=WIDE, titled=False, looks=looks)
        svg = own_names(drawing, f"f{number}")
    elif len(words.rows) <= _MOST_ROWS:
        payload["svg"] = figure_svg(figure, PAGE, titled=False)
    if isinstance(figure, Chart):
        options: dict[str, Any] = {"interactive": True, "legend": False}
        options |= {"with_data": False, "looks": looks}
        payload |= {
            "wide": chart_spec(figure, PAGE, width=WIDE, **options),
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


def _fit(pages: list[PageFigure], budget: int) -> list[PageFigure]:
    """Leave out what exceeds the budget: drawings in order of the figures, then CSVs."""
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


def _arms(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    scales: dict[str, list[float]] = {}  # arms of one unit share a scale, so that they compare
    for arm in arms:
        scales.setdefault(arm.unit, []).extend((arm.low, arm.estimate, arm.high, *arm.bounds))
    return [
        {
            "arm": arm,
            "symbol": SYMBOLS.get(arm.kind, ""),
            "estimate": format_measured(arm.estimate, arm.low, arm.high),
            "interval": interval_sentence(arm),
            "strip": _strip((arm.low, arm.estimate, arm.high), arm.bounds, scales[arm.unit]),
            "clauses": [
                {
                    "clause": clause,
                    "symbol": _STATES[clause.state],
                    "decides": i in arm.decided_by and not arm.as_claimed,
                    "strip": None
                    if arm.bounds and _is_effect(clause, arm)
                    else _clause_strip(clause),
                }
                for i, clause in enumerate(arm.clauses)
            ],
        }
        for arm in arms
    ]


def _is_effect(clause: ClauseContent, arm: Arm) -> bool:
    """Return whether the arm's own strip shows the clause already."""
    return (clause.low, clause.estimate, clause.high) == (arm.low, arm.estimate, arm.high)


def _clause_strip(clause: ClauseContent) -> dict[str, Any] | None:
    ends = clause.low, clause.estimate, clause.high
    bounds = [b for b in (clause.above, clause.below) if math.isfinite(b)]
    return _strip(ends, bounds, [*ends, *bounds])


def _strip(
    ends: tuple[float, float, float], bounds: Sequence[float], scale: Sequence[float]
) -> dict[str, Any] | None:
    """Return an interval and the rule's bounds as percents of a common scale."""
    known = [v for v in scale if math.isfinite(v)]
    if not all(map(math.isfinite, ends)):
        return None
    low, high = min(known), max(known)
    span = high - low
    if not 0 < span < math.inf:
        return None

    def percent(value: float) -> float:
        return round(100 * ((value - low) / span), 2)

    return {
        "left": percent(ends[0]),
        "width": round(percent(ends[2]) - percent(ends[0]), 2),
        "at": percent(ends[1]),
        "bounds": [percent(b) for b in bounds],
        "low": format_measured(low, low, high),
        "high": format_measured(high, low, high),
    }
