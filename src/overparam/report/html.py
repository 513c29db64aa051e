"""The report as one HTML file that needs nothing else: no network, no folder beside it.

The page works without scripts (static drawings, tables, words); scripts add the interactive
charts, file buttons and the theme switch. `page.py` has what it shares with other pages.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from overparam.cache import kept_text
from overparam.lab.figure import Chart, Figure, NetworkGallery, Table
from overparam.report.content import Arm, Content
from overparam.report.drawing import chart_data, chart_spec
from overparam.report.export import figure_svg, file_stem
from overparam.report.facts import design_sentence, head_facts, provenance_rows
from overparam.report.figure_content import FigureContent, plain
from overparam.report.formatting import format_interval, format_number
from overparam.report.gallery_page import gallery_grids, gallery_payload
from overparam.report.legend import legend_chips
from overparam.report.page import page_policy, page_style, render_template, template_text
from overparam.report.palette import LIGHT, PAGE
from overparam.report.tables import csv_text
from overparam.report.thumbnails import thumbnail_svg

SIZE_LIMIT = 3_000_000  # bytes of a report
WIDE, NARROW = 950.0, 350.0  # widths of a chart's two layouts, pixels
_MOST_ROWS = 400  # table rows of one figure shown in the page
_SCRIPTS = ("tip.js", "theme.js", "gallery.js", "heatmap.js", "report.js")
_STYLES = ("report.css", "gallery.css")
SYMBOLS = {"observed": "●", "absent": "○", "inconclusive": "◐"}


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

    bundle = _vega_bundle()
    script = "\n".join(['"use strict";', *map(template_text, _SCRIPTS)])
    pages = [
        _page_figure(w, f, i) for i, (w, f) in enumerate(zip(content.figures, figures, strict=True))
    ]
    pages = _fit(pages, SIZE_LIMIT - len(bundle.encode()) - 150_000)
    payload = {"light": dict(LIGHT), "figures": [p.payload for p in pages]}
    names = ("diverged", "failed", "missing")
    words = ("cells diverged", "cells failed", "cells are missing")
    commands = [("This study", content.command), ("At the paper's scale", content.full_command)]
    html = render_template(
        "report.html.j2",
        c=content,
        policy=Markup(page_policy(bundle, script)),
        css=Markup(page_style(_STYLES)),
        arms=_arms(content.arms),
        thumbnail=Markup(thumbnail_svg(figures[0]) if figures else ""),
        facts=head_facts(content),
        figures=pages,
        design=design_sentence(content),
        troubles=[(w, getattr(content, n)) for n, w in zip(names, words, strict=True)],
        commands=[(w, text) for w, text in commands if text],
        provenance=provenance_rows(content),
        notes=content.provenance.get("notes") or [],
        payload=Markup(_script_safe_json(payload)),
        bundle=Markup(bundle),
        script=Markup(script),
    )
    return html


def _page_figure(words: FigureContent, figure: Figure, number: int) -> PageFigure:
    from markupsafe import Markup

    payload: dict[str, Any] = {"stem": file_stem(figure.name), "csv": csv_text(figure)}
    chips: list[dict[str, Any]] = []
    svg = ""
    if isinstance(figure, NetworkGallery):
        svg = render_template("gallery.html.j2", g=gallery_grids(figure, number))
        payload |= gallery_payload(figure, svg)
    elif not isinstance(figure, Table):
        svg = figure_svg(figure, PAGE, width=WIDE, titled=False)
        # Several drawings in one page must not share the names of their clip paths.
        svg = re.sub(r"\b(clip|gradient)(\d+)\b(?=[\")])", rf"f{number}-\1\2", svg)
    elif len(words.rows) <= _MOST_ROWS:
        payload["svg"] = figure_svg(figure, PAGE, titled=False)
    if isinstance(figure, Chart):
        options: dict[str, Any] = {"interactive": True, "legend": False, "with_data": False}
        payload |= {
            "wide": chart_spec(figure, PAGE, width=WIDE, **options),
            "narrow": chart_spec(figure, PAGE, width=NARROW, **options),
            "datasets": chart_data(figure),
            "axes": [{"x": p.x.quantity, "y": p.y.quantity} for p in figure.panels],
        }
        chips = legend_chips(figure)
    rows = [
        [Cell(format_number(v, 4), isinstance(v, str)) for v in row]
        for row in words.rows[:_MOST_ROWS]
    ]
    return PageFigure(words, Markup(svg), rows, len(words.rows), chips, payload["csv"], payload)


def _fit(pages: list[PageFigure], budget: int) -> list[PageFigure]:
    """Leave out what exceeds the budget: drawings in order of the figures, then CSVs."""
    kept = []
    for page in pages:
        essential = {k: v for k, v in page.payload.items() if k != "csv"}
        size = len(_script_safe_json(essential).encode()) + len(page.svg.encode())
        size += sum(len(c.value.encode()) + 12 for row in page.rows for c in row)
        if size <= budget:
            budget -= size
            kept.append(page)
        else:
            bare = {"stem": page.payload["stem"], "csv": page.payload["csv"]}
            kept.append(dataclasses.replace(page, svg="", chips=[], rows=[], payload=bare))
    for i, page in enumerate(kept):
        size = len(_script_safe_json(page.csv).encode())
        if size <= budget:
            budget -= size
        else:
            kept[i] = dataclasses.replace(page, csv="", payload={**page.payload, "csv": ""})
    return kept


def _arms(arms: Sequence[Arm]) -> list[dict[str, Any]]:
    return [
        {
            "arm": arm,
            "symbol": SYMBOLS.get(arm.kind, ""),
            "estimate": format_number(arm.estimate),
            "interval": interval_sentence(arm),
            "whisker": _whisker(arm, arms),
        }
        for arm in arms
    ]


def interval_sentence(arm: Arm) -> str:
    """Return the interval with its level and number of seeds, or why there is none."""
    seeds = f"{arm.n_seeds} seed{'' if arm.n_seeds == 1 else 's'}"
    interval = format_interval(arm.low, arm.high)
    if interval == "–":
        needs = ": it needs at least two" if arm.n_seeds < 2 else ""
        return f"no finite interval from {seeds}{needs}"
    return f"{format_number(100 * arm.level)} % interval {interval}, {seeds}"


def _whisker(arm: Arm, arms: Sequence[Arm]) -> dict[str, Any] | None:
    """Return the arm's interval on a scale common to all arms of its unit."""
    kin = [a for a in arms if a.unit == arm.unit]
    ends = [v for a in kin for v in (a.low, a.estimate, a.high) if math.isfinite(v)]
    if not all(map(math.isfinite, (arm.low, arm.estimate, arm.high))) or max(ends) == min(ends):
        return None
    low, high = min(ends), max(ends)

    def percent(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    return {
        "left": percent(arm.low),
        "width": round(percent(arm.high) - percent(arm.low), 2),
        "at": percent(arm.estimate),
        "low": format_number(low),
        "high": format_number(high),
    }


def _script_safe_json(value: Any) -> str:
    """Return JSON in which no text can end the script element that holds it."""
    text = json.dumps(plain(value), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


_EXPOSED = "window.vegaEmbed = vegaEmbed;"  # what the page calls


@functools.cache
def _vega_bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script (from vl-convert, no network).

    Bundling takes more than a second, so the script is kept in the cache.
    """

    def bundle() -> str:
        import vl_convert

        return vl_convert.javascript_bundle(_EXPOSED)

    wanted = hashlib.sha256(_EXPOSED.encode()).hexdigest()[:8]
    name = f"vega-{metadata.version('vl-convert-python')}-{wanted}.js"
    return re.sub(r"</(script)", r"<\\/\1", kept_text(name, bundle), flags=re.IGNORECASE)
