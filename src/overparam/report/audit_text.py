"""An audit in a terminal and in a notebook: the verdict and a table of what was found."""

from __future__ import annotations

import textwrap
from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from overparam.audits.finding import POINTS, Finding, Measured
from overparam.report.notebook import notebook_style
from overparam.report.page import prose
from overparam.texts import printable

if TYPE_CHECKING:
    from overparam.report.kept_audit import KeptAudit

WIDTH = 100  # columns of a terminal
MARKS = {"critical": "◆", "high": "▲", "medium": "●", "low": "○"}  # besides the word
_HEADERS = ("code", "severity", "finding", "measured", "points")
_WIDEST = (9, 10, 32, 30, 26)
_OTHERS = ("passed", "undecided", "not applicable", "skipped", "failed")


def audit_text(audit: KeptAudit) -> str:
    """Return verdict, numbers and findings as text of at most `WIDTH` columns."""
    rows = [_row(f) for f in audit.found]
    lines = [*_wrapped(audit.verdict), *(_line(f"  {k}: {v}") for k, v in audit.numbers.items())]
    if rows:
        lines += ["", *_table([_HEADERS, *rows])]
    first = next((f for f in audit.found if f.action), None)
    if first is not None:
        lines += ["", *_wrapped(f"Next ({first.code}): {first.action}")]
    return "\n".join([*lines, *_wrapped(others_sentence(audit))])


def others_sentence(audit: KeptAudit) -> str:
    """Return how many checks came to what else, in one line."""
    counts: Counter[str] = Counter(f.status for f in audit.findings.values())
    told = [f"{counts[status]} {status}" for status in _OTHERS if counts[status]]
    if audit.muted:
        told.append(f"{len(audit.muted)} muted")
    return f"{len(audit.findings)} checks: " + ", ".join([f"{len(audit.found)} found", *told])


def audit_html(audit: KeptAudit) -> str:
    """Return verdict and findings for a cell of a notebook, in its own theme."""
    rows = "".join(
        f"<tr><td>{escape(f.code)}</td><td>{_mark(f)}</td><td>{prose(_clean(f.sentence))}</td>"
        f"<td>{escape(_points(f))}</td></tr>"
        for f in audit.found
    )
    head = "<tr><td>code</td><td>severity</td><td>finding</td><td>points</td></tr>"
    numbers = "; ".join(f"{k}: {v}" for k, v in audit.numbers.items())
    return (
        f'<div class="overparam-audit">{notebook_style(".overparam-audit")}'
        f"<p><b>{prose(_clean(audit.verdict))}</b></p><p>{prose(_clean(numbers))}</p>"
        f"<table>{head if rows else ''}{rows}</table>"
        f"<p>{escape(others_sentence(audit))}</p></div>"
    )


def _row(finding: Finding) -> tuple[str, ...]:
    texts = (finding.code, _mark(finding), finding.title)
    return (*texts, _text(finding.measured), _points(finding))


def _points(finding: Finding) -> str:
    """Return what it costs, or else what acting wins."""
    if finding.cost is not None:
        return f"costs {_text(finding.cost)}".removesuffix(f" {POINTS}")
    return "" if finding.gain is None else f"wins {_text(finding.gain)}".removesuffix(f" {POINTS}")


def _mark(finding: Finding) -> str:
    return f"{MARKS[finding.severity]} {finding.severity}"


def _text(measured: Measured | None) -> str:
    return "" if measured is None else _clean(str(measured))


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows as lines; a cell that is too long is wrapped within its column."""
    widths = [min(max(len(r[k]) for r in rows), most) for k, most in enumerate(_WIDEST)]
    spare = WIDTH - sum(widths) - 2 * (len(widths) - 1)
    if spare < 0:
        widths[2] += spare
    lines = []
    for number, row in enumerate(rows):
        cells = [textwrap.wrap(_clean(c), w) or [""] for c, w in zip(row, widths, strict=True)]
        for k in range(max(map(len, cells))):
            parts = [
                (c[k] if k < len(c) else "").ljust(w) for c, w in zip(cells, widths, strict=True)
            ]
            lines.append("  ".join(parts).rstrip())
        if number == 0:
            lines.append("  ".join("-" * w for w in widths))
    return lines


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(_clean(text), WIDTH) or [""]


def _line(text: str) -> str:
    return textwrap.shorten(_clean(text), WIDTH, placeholder=" …") if len(text) > WIDTH else text


def _clean(text: str) -> str:
    return printable(text, one_line=True)
