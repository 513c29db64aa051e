"""OP505: how large the classes are, and what always saying the largest would get right."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.audits.subject import Subject
from overparam.measures.tables.column_faults import class_balance

_RARE = 0.01  # of the rows: a smaller class is hardly learned, and hardly counts in an accuracy


def _run(evidence: Evidence) -> Finding:
    found = class_balance(evidence.subject.train.given_labels(), confidence=evidence.confidence)
    last = int(np.argmin(found.share))
    measured = Measured(found.share[last], found.low[last], found.high[last], "of the rows")
    rare = [str(c) for c, high in zip(found.classes, found.high, strict=True) if high < _RARE]
    details = {"counts": dict(zip(map(str, found.classes), found.counts.tolist(), strict=True))}
    if not rare:
        return Finding(
            "passed",
            f"The smallest class, {found.classes[last]}, has {found.counts[last]:,} rows; always "
            f"saying {found.classes[0]} is right in {found.majority:.1%}",
            measured=measured,
            details=details,
        )
    return Finding(
        "found",
        f"{len(rare)} classes have less than 1 % of the rows ({', '.join(rare[:5])}): accuracy "
        f"hardly counts them, and always saying {found.classes[0]} is right in "
        f"{found.majority:.1%}",
        severity="low",
        measured=measured,
        action="judge by the error of each class (OP304), and collect more rows of these classes",
        details=details,
    )


def _applies(subject: Subject) -> str:
    return "" if subject.has_classes else "the targets are numbers, not classes"


CHECK = Check("OP505", "Class balance", _run, applies=_applies)
