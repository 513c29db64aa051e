"""The report as one HTML file that needs nothing else: no network, no folder beside it.

The page works without scripts (static drawings, tables, words); scripts add the interactive
charts, file buttons and the theme switch. `page.py` has what it shares with other pages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from overparam.lab.figure import Figure
from overparam.report.arms import SYMBOLS, Arm, ClauseContent, interval_sentence
from overparam.report.content import Content
from overparam.report.drawing import figure_looks
from overparam.report.facts import design_sentence, head_facts, provenance_rows
from overparam.report.formatting import format_measured
from overparam.report.page import (
    own_names,
    page_policy,
    page_script,
    page_style,
    render_template,
    script_safe_json,
    vega_bundle,
)
from overparam.report.page_figure import fit_figures, page_figure
from overparam.report.palette import LIGHT
from overparam.report.strips import interval_strip
from overparam.report.thumbnails import thumbnail_svg

SIZE_LIMIT = 3_000_000  # bytes of a report
_SCRIPTS = ("tip.js", "theme.js", "gallery.js", "heatmap.js", "report.js")
_STYLES = ("page.css", "report.css", "gallery.css")
_STATES = {"shown": "✓", "refuted": "✗", "undecided": "?"}


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
        page_figure(f, i, looks, w)
        for i, (w, f) in enumerate(zip(content.figures, figures, strict=True))
    ]
    pages = fit_figures(pages, SIZE_LIMIT - len(bundle.encode()) - 150_000)
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
            "strip": interval_strip(
                (arm.low, arm.estimate, arm.high), arm.bounds, scales[arm.unit]
            ),
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
    return interval_strip(ends, bounds, [*ends, *bounds])
