"""What an audit comes to: one sentence, and four numbers."""

from __future__ import annotations

from collections.abc import Mapping

from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding


def verdict_of(evidence: Evidence, findings: Mapping[str, Finding]) -> str:
    """Return one sentence: what the model fits, what that costs, what to do first."""
    found = [f for f in findings.values() if f.status == "found"]
    return f"{len(found)} findings."


def numbers_of(evidence: Evidence, findings: Mapping[str, Finding]) -> dict[str, str]:
    """Return the four numbers at the head of a report, title to text with its interval."""
    return {}
