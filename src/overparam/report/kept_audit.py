"""`KeptAudit`: an audit as its document has it: verdict, findings, and what changed since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from overparam.audits.change import AuditChange, compare_findings
from overparam.audits.finding import Finding, costliest_first, of_severity
from overparam.audits.loading import findings_of, load_document
from overparam.errors import UsageError, suggest
from overparam.lab.plain_values import plain
from overparam.report.audit_text import audit_html, audit_text


class Findings(dict[str, Finding]):
    """Code to finding. A code that no check has is refused, with the nearest that one has."""

    def __missing__(self, code: str) -> Finding:
        raise UsageError(
            "no check of this audit has such a code",
            got=code,
            allowed=", ".join(self),
            remedy=suggest(str(code).upper(), self),
        )


class KeptAudit:
    """An audit that was written to a folder. It shows itself in a terminal and a notebook.

    Args:
        document: what `load_document` returned.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = dict(document)
        self._findings = Findings(findings_of(self._document))

    @property
    def document(self) -> dict[str, Any]:
        """All that the audit says, as plain values: `docs/audit/schema.json`."""
        return self._document

    @property
    def findings(self) -> Findings:
        """What every check said, by code."""
        return self._findings

    @property
    def verdict(self) -> str:
        """What it comes to, in one sentence."""
        return self.document["verdict"]

    @property
    def numbers(self) -> Mapping[str, str]:
        """The numbers at the head, title to text with its interval."""
        return self.document["numbers"]

    @property
    def about(self) -> Mapping[str, Any]:
        """What was audited, when, and with which budget."""
        return self.document["about"]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known before the findings are believed."""
        return tuple(self.document["notes"])

    @property
    def muted(self) -> tuple[str, ...]:
        """Codes that are not shown as found."""
        return tuple(self.document["muted"])

    @property
    def found(self) -> list[Finding]:
        """What was found, the costliest first; muted codes are left out."""
        return costliest_first(self.findings, self.muted)

    def at_least(self, severity: str) -> list[Finding]:
        """Return what was found of this severity or a higher one.

        Raises:
            UsageError: no such severity.
        """
        return of_severity(self.found, severity)

    def to_json(self) -> str:
        """Return the audit as strict JSON (values that are not finite are null)."""
        return json.dumps(plain(self.document), indent=2, allow_nan=False, ensure_ascii=False)

    def compare(self, old: KeptAudit | str | Path) -> AuditChange:
        """Return what changed since an older audit.

        Args:
            old: an audit; or the folder, or the ``audit.json``, that one was saved to.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        if not isinstance(old, KeptAudit):
            old = load_audit(old)
        shown = {code: f for code, f in self.findings.items() if code not in self.muted}
        before = {code: f for code, f in old.findings.items() if code not in self.muted}
        return compare_findings(before, shown, old.about, self.about)

    def __repr__(self) -> str:
        return audit_text(self)

    def _repr_html_(self) -> str:
        return audit_html(self)


def load_audit(path: str | Path) -> KeptAudit:
    """Return the audit that was saved to a folder: its verdict, findings and JSON.

    Nothing of it is run: it may come from anybody. Its page and its rows lie beside it as
    ``report.html`` and ``rows.csv``.

    Args:
        path: of the folder, or of its ``audit.json``.

    Raises:
        StoreError: there is none, it is too large, damaged, of another kind or of a newer format.
    """
    return KeptAudit(load_document(path))
