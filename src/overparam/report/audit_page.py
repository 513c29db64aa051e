"""The report of an audit as one HTML file: verdict, findings by cost, and what else was asked.

Like a study's page it loads nothing, works without scripts, and forbids every request.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from overparam.audits.change import KINDS, AuditChange
from overparam.audits.finding import SEVERITIES, Finding
from overparam.audits.row_contents import figures_of
from overparam.lab.figure import Chart, Figure
from overparam.lab.figure_checks import clean_texts
from overparam.report.audit_cards import Card, Number, card_of, clean, cleaned, points_of
from overparam.report.audit_text import MARKS, others_sentence
from overparam.report.drawing import figure_looks
from overparam.report.facts import machine_text, time_text
from overparam.report.figure_content import describe_figure
from overparam.report.formatting import format_number, format_seconds
from overparam.report.page import (
    page_policy,
    page_script,
    page_style,
    render_template,
    script_safe_json,
    vega_bundle,
)
from overparam.report.page_figure import PageFigure, fit_figures, page_figure
from overparam.report.palette import LIGHT

if TYPE_CHECKING:
    from overparam.report.audit import Audit

SIZE_LIMIT = 5_000_000  # bytes of a report
BUDGET = "OP302"  # the check whose figure, how the test error splits up, stands in the head
_WIDE = 760.0  # of a chart within a finding, pixels
_SCRIPTS = ("tip.js", "theme.js", "heatmap.js", "report.js", "audit.js")
_STYLES = ("page.css", "report.css", "audit.css")
_OTHERS = {
    "undecided": ("Undecided", "the interval holds both answers; a larger budget narrows it"),
    "passed": ("Passed", "looked at, and nothing is amiss"),
    "muted": ("Muted", "found, and not to be shown"),
    "skipped": ("Not measured", "the budget does not pay for it, or what it needs is not there"),
    "failed": ("Failed", "the check could not be asked"),
    "not applicable": ("Not applicable", "makes no sense for this model or these data"),
}


def render_audit(audit: Audit, *, rows: bool = True, change: AuditChange | None = None) -> str:
    """Return the report as one HTML document of at most about `SIZE_LIMIT` bytes.

    Args:
        rows: whether it shows what rows hold. change: since an older audit.

    Drawings that would exceed the limit are left out of the page, which says so.
    """
    from markupsafe import Markup

    found = [cleaned(f) for f in audit.found]
    others = {status: _others(audit, status) for status in _OTHERS}
    subject = audit.result.subject
    figures = {
        f.code: figures_of(f, subject, rows=rows)
        for f in (*found, *others["undecided"], *others["passed"])
    }
    head, figures[BUDGET] = figures.get(BUDGET, [])[:1], figures.get(BUDGET, [])[1:]
    pages = _pages([*head, *(one for some in figures.values() for one in some)])
    bundle = vega_bundle() if any("wide" in p.payload for p in pages) else ""
    script = page_script(_SCRIPTS)
    numbered = iter(enumerate(pages))
    main = [next(numbered) for _ in head]
    placed = {code: [next(numbered) for _ in some] for code, some in figures.items()}

    scale = _scale(found)

    def cards(findings: Sequence[Finding]) -> list[Card]:
        return [
            card_of(f, placed.get(f.code, []), subject, rows=rows, scale=scale) for f in findings
        ]

    return render_template(
        "audit.html.j2",
        policy=Markup(page_policy(*filter(None, [bundle, script]))),
        css=Markup(page_style(_STYLES)),
        verdict=clean(audit.verdict).partition(". "),
        name=clean(str(audit.about.get("name", ""))),
        numbers=[_head_number(k, v) for k, v in audit.numbers.items()],
        facts=_facts(audit),
        main=main,
        cards=cards(found),
        severities=_severities(found),
        scale=f"{format_number(min(scale), 2)} to {format_number(max(scale), 2)} points"
        if len(scale) > 1
        else "",
        counts=others_sentence(audit),
        change=None if change is None else _change(change),
        others=[
            {"title": title, "words": words, "cards": cards(others[status])}
            for status, (title, words) in _OTHERS.items()
            if others[status]
        ],
        plan=[] if audit.plan is None else audit.plan.lines(),
        provenance=_provenance(audit),
        notes=[clean(n) for n in audit.notes],
        command=clean(audit.command),
        with_rows=rows,
        payload=Markup(script_safe_json({"light": dict(LIGHT), "figures": _payloads(pages)})),
        bundle=Markup(bundle),
        script=Markup(script),
    )


def _pages(figures: Sequence[Figure]) -> list[PageFigure]:
    looks = figure_looks(figures)
    pages = [page_figure(f, i, looks, describe_figure(f), _WIDE) for i, f in enumerate(figures)]
    charts = any(isinstance(f, Chart) for f in figures)
    return fit_figures(pages, SIZE_LIMIT - len(vega_bundle().encode()) * charts - 500_000)


def _payloads(pages: Sequence[PageFigure]) -> list[dict[str, Any]]:
    return [page.payload for page in pages]


def _scale(found: Sequence[Finding]) -> list[float]:
    """Return the points that all strips are drawn on: what is known of any, and 0."""
    known = [points for points in map(points_of, found) if points is not None]
    ends = [end for m in known for end in (m.low, m.value, m.high)]
    return [0.0, *(end for end in ends if math.isfinite(end))]


def _severities(found: Sequence[Finding]) -> list[dict[str, Any]]:
    counts = {s: sum(f.severity == s for f in found) for s in reversed(SEVERITIES)}
    return [{"name": s, "mark": MARKS[s], "count": n} for s, n in counts.items() if n]


def _others(audit: Audit, status: str) -> list[Finding]:
    """Return the findings of one of `_OTHERS`, by code."""
    return [
        cleaned(f)
        for f in audit.findings.values()
        if f.status == ("found" if status == "muted" else status)
        and (status != "muted" or f.code in audit.muted)
    ]


def _change(change: AuditChange) -> dict[str, Any]:
    groups = [
        {"kind": kind, "title": words, "steps": [_step_texts(s) for s in change.of(kind)]}
        for kind, words in KINDS.items()
        if change.of(kind)
    ]
    return {"headline": change.headline, "notes": clean_texts(list(change.notes)), "groups": groups}


def _step_texts(step: Any) -> dict[str, str]:
    return {k: clean(getattr(step, k)) for k in ("code", "title", "sentence")}


def _head_number(title: str, text: str) -> Number:
    """Return a number of the head, its interval apart where it has one."""
    value, bracket, rest = clean(text).partition(" [")
    interval, end, unit = rest.partition("] %")
    if end:  # the sign stands at its number
        value, rest = f"{value} %", f"{interval}]{unit}"
    return Number(clean(title), format_number(value), format_number(bracket.strip() + rest))


def _facts(audit: Audit) -> list[str]:
    about = audit.about
    rows = f"{about.get('rows', 0):,} training rows"
    tests = f"{about['test_rows']:,} test rows" if about.get("test_rows") else "no test set"
    took = format_seconds(about.get("seconds"))
    version = (about.get("versions") or {}).get("overparam", "")
    budget = f"{took} of a budget of {format_seconds(about.get('budget'))}".removesuffix(" 0 s")
    facts = [time_text(about.get("created")), f"{rows}, {tests}", budget, f"overparam {version}"]
    return [clean(fact) for fact in facts if fact]


def _provenance(audit: Audit) -> list[tuple[str, str]]:
    about = audit.about
    versions = about.get("versions") or {}
    columns = about.get("columns") or []
    classes = about.get("classes") or []
    rows = [
        ("Model", f"{about.get('name', '')} ({about.get('kind', '')})"),
        ("Created", time_text(about.get("created"))),
        ("Training rows", f"{about.get('rows', 0):,}"),
        ("Test rows", f"{about.get('test_rows', 0):,}"),
        ("Target", f"{len(classes)} classes" if classes else str(about.get("task", ""))),
        ("Columns", f"{len(columns):,}" if columns else "–"),
        ("Seed", str(about.get("seed", "–"))),
        ("Confidence of all intervals", f"{100 * about.get('confidence', 0.95):g} %"),
        ("Machine", machine_text(about.get("machine") or {})),
        ("Versions", ", ".join(f"{k} {v}" for k, v in versions.items()) or "–"),
    ]
    return [(name, clean(value)) for name, value in rows]
