"""`document_of`: an audit as plain JSON values, of a format that `docs/audit/schema.json` says."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from overparam.audits.finding import Finding, Measured
from overparam.audits.row_contents import (
    MOST_SHOWN,
    columns_without_contents,
    figures_of,
    inputs_of,
)
from overparam.lab.figure import Figure, ImageGrid
from overparam.lab.plain_values import plain

if TYPE_CHECKING:
    from overparam.audits.result import AuditResult

KIND, FORMAT = "overparam audit", 1
MOST_ROWS = 1000  # of one finding; flags of all rows are in rows.csv
_KINDS = {"Chart": "chart", "Table": "table", "HeatMap": "heat", "ImageGrid": "images"}


def document_of(result: AuditResult, *, rows: bool = True) -> dict[str, Any]:
    """Return all that an audit says as texts, numbers, lists and mappings.

    What is no finite number is None.

    Args:
        rows: whether it holds what rows hold: inputs, labels, texts. Without them the numbers of
            rows stay, and what is a number and no label.
    """
    about = dict(result.about)
    if not rows:
        about["classes"] = []
    return {
        "kind": KIND,
        "format": FORMAT,
        "verdict": result.verdict,
        "numbers": dict(result.numbers),
        "about": plain(about),
        "plan": _plan(result),
        "notes": list(result.notes),
        "muted": list(result.muted),
        "rows_included": rows,
        "findings": [_finding(result, f, rows) for _, f in sorted(result.findings.items())],
    }


def _plan(result: AuditResult) -> dict[str, Any] | None:
    plan = result.plan
    if plan is None:
        return None
    return plain(plan) | {"seconds": plan.seconds}


def _finding(result: AuditResult, finding: Finding, rows: bool) -> dict[str, Any]:
    shown = finding.rows[:MOST_ROWS]
    columns = {k: v[: len(shown)] for k, v in finding.row_columns.items()}
    if not rows:
        columns = columns_without_contents(columns)
    inputs = inputs_of(result.subject, finding.rows[:MOST_SHOWN]) if rows else {}
    return {
        "code": finding.code,
        "title": finding.title,
        "status": finding.status,
        "severity": finding.severity,
        "sentence": finding.sentence,
        "measured": _measured(finding.measured),
        "cost": _measured(finding.cost),
        "gain": _measured(finding.gain),
        "action": finding.action,
        "n_rows": len(finding.rows),
        "rows": plain(shown),
        "row_columns": plain(columns),
        "row_inputs": plain(inputs),
        "details": plain(finding.details if rows else _numbers_alone(dict(finding.details))),
        "figures": [_figure(f) for f in figures_of(finding, result.subject, rows=rows)],
        "page": finding.page,
        "validated_by": finding.validated_by,
    }


def _measured(measured: Measured | None) -> dict[str, Any] | None:
    return None if measured is None else plain(measured) | {"text": str(measured)}


def _figure(figure: Figure) -> dict[str, Any]:
    """Return a figure's words and numbers; pictures stay where the rows are."""
    kind = _KINDS.get(type(figure).__name__, "other")
    names = [f.name for f in dataclasses.fields(figure)]
    if isinstance(figure, ImageGrid):
        names.remove("images")
    return {"kind": kind} | {name: plain(getattr(figure, name)) for name in names}


def _numbers_alone(value: Any) -> Any:
    """Return a value with every text in it left out."""
    if isinstance(value, dict):
        return {k: _numbers_alone(v) for k, v in value.items() if not isinstance(v, str)}
    if isinstance(value, list | tuple):
        return [_numbers_alone(v) for v in value if not isinstance(v, str)]
    return value
