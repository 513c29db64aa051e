"""`AuditResult`: all that an audit found, and of what, before it is drawn or written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.audits.finding import Finding, costliest_first, of_severity
from overparam.audits.plan import AuditPlan
from overparam.audits.subject import Subject


@dataclass(frozen=True, eq=False)
class AuditResult:
    """What was found.

    Attributes:
        verdict: one sentence. numbers: four at the head, title to text: where it stands relative
            to its threshold, rows learned by heart, test error and gap, membership.
        findings: of every check that was asked, by code.
        row_table: name to column `[n]`, all that is known of every training row.
        about: of the subject and the run, plain values: name, kind, rows, classes, budget,
            seconds, seed, versions.
        plan: what was planned; None where nothing is trained. notes: what is to be known.
        muted: codes that are not shown as found. subject: what was audited, whose rows a report
            shows; None where it is not at hand.
    """

    verdict: str
    numbers: Mapping[str, str]
    findings: Mapping[str, Finding]
    row_table: Mapping[str, np.ndarray]
    about: Mapping[str, Any]
    plan: AuditPlan | None = None
    notes: tuple[str, ...] = ()
    muted: tuple[str, ...] = ()
    subject: Subject | None = None

    @property
    def found(self) -> list[Finding]:
        """What was found, the costliest first; muted codes are left out."""
        return costliest_first(self.findings, self.muted)

    def at_least(self, severity: str) -> list[Finding]:
        """Return what was found of this severity or a higher one."""
        return of_severity(self.found, severity)
