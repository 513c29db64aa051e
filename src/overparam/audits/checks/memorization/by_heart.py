"""OP201: rows that the model gets right only where it was trained on them."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.audits.subject import Subject
from overparam.measures.error import wilson_interval

_BY_HEART = 0.5  # memorization score: right half the time more often where the row was seen
_MOST_ROWS = 1000


def _run(evidence: Evidence) -> Finding:
    scores = evidence.models.ensemble.memorization_scores(confidence=evidence.confidence)
    known = np.isfinite(scores.estimate)
    sure = known & (scores.low > _BY_HEART)
    likely = known & (scores.estimate > _BY_HEART)
    n, k = int(known.sum()), int(likely.sum())
    low, high = wilson_interval(k, n, evidence.confidence)
    measured = Measured(k / n, low, high, "of the rows", 0.0, "a model that never saw the rows")
    order = np.flatnonzero(likely)
    order = order[np.argsort(-scores.estimate[order], kind="stable")][:_MOST_ROWS]
    if not k:
        return Finding(
            "passed",
            f"No row of {n:,} is known by heart",
            measured=measured,
            details={"n_by_heart": 0, "n_surely": 0, "n": n},
        )
    return Finding(
        "found",
        f"{k:,} of {n:,} rows are known by heart (memorization above one half; {int(sure.sum()):,} "
        "surely): the model is right on them where it was trained on them and wrong elsewhere",
        severity="low",
        measured=measured,
        action="look at these rows first: wrong labels, rare cases and hard ones are among them; "
        "that rows are memorized is no fault by itself (see OP103 for whether it costs anything)",
        rows=order,
        row_columns={
            "memorization": scores.estimate[order],
            "low": scores.low[order],
            "high": scores.high[order],
        },
        details={"n_by_heart": k, "n_surely": int(sure.sum()), "n": n},
    )


def _applies(subject: Subject) -> str:
    return "" if subject.has_classes else "the targets are numbers (see OP202 for their residuals)"


CHECK = Check(
    "OP201", "Rows known by heart", _run, ("models",), _applies, "memorization/labels_one_by_one"
)
