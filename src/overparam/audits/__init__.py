"""The audit: a model and its data in, findings out.

A `Subject` is what is audited (`subject`). `Evidence` holds what was measured of it, each part once
(`evidence`), by stages that a budget of time pays for (`plan`, `stages`). Checks (`check`; one file
each under `checks`, found by being there) read evidence and return a `Finding`; one that raises is
a row in the report and ends nothing. `verdict` says in one sentence what it comes to.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from overparam.audits.check import Check
    from overparam.audits.document import document_of
    from overparam.audits.evidence import Evidence
    from overparam.audits.finding import Finding, Measured
    from overparam.audits.loading import load_document
    from overparam.audits.result import AuditResult
    from overparam.audits.run import run_audit
    from overparam.audits.subject import Subject

_MODULE_OF = {
    "AuditResult": "result",
    "Check": "check",
    "Evidence": "evidence",
    "Finding": "finding",
    "Measured": "finding",
    "Subject": "subject",
    "document_of": "document",
    "load_document": "loading",
    "run_audit": "run",
}

__all__ = [
    "AuditResult",
    "Check",
    "Evidence",
    "Finding",
    "Measured",
    "Subject",
    "document_of",
    "load_document",
    "run_audit",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
