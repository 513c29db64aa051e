"""OP201: rows that the model gets right only where it was trained on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.audits.subject import Subject
from overparam.lab.figure import Axis, Chart, Panel, Series
from overparam.measures.error import wilson_interval

_BY_HEART = 0.5  # memorization score: right half the time more often where the row was seen
_MOST_ROWS = 1000
_BINS = 24


def _run(evidence: Evidence) -> Finding:
    scores = evidence.models.ensemble.memorization_scores(confidence=evidence.confidence)
    known = np.isfinite(scores.estimate)
    sure = known & (scores.low > _BY_HEART)
    likely = known & (scores.estimate > _BY_HEART)
    n, k, n_sure = int(known.sum()), int(likely.sum()), int(sure.sum())
    # Scores of few models scatter: rows above one half are as many as there may be, and rows whose
    # whole interval lies above it as few.
    measured = Measured(
        100 * k / n,
        100 * wilson_interval(n_sure, n, evidence.confidence)[0],
        100 * wilson_interval(k, n, evidence.confidence)[1],
        "% of the rows",
        0.0,
        "a model that never saw the rows",
    )
    details = {"n_by_heart": k, "n_surely": n_sure, "n": n}
    figures = (_chart(scores.estimate[known]),)
    if not k:
        return Finding(
            "passed",
            f"No row of {n:,} is known by heart",
            measured=measured,
            figures=figures,
            details=details,
        )
    order = np.flatnonzero(likely)
    order = order[np.argsort(-scores.estimate[order], kind="stable")][:_MOST_ROWS]
    said: dict[str, Any] = {
        "rows": order,
        "row_columns": {
            "memorization": scores.estimate[order],
            "low": scores.low[order],
            "high": scores.high[order],
        },
    }
    if not n_sure:
        return Finding(
            "undecided",
            f"{k:,} of {n:,} rows may be known by heart (memorization above one half), none surely "
            f"with {evidence.models.n_models} models",
            measured=measured,
            action="a larger --budget trains more models and narrows the intervals",
            figures=figures,
            details=details,
            **said,
        )
    return Finding(
        "found",
        f"{k:,} of {n:,} rows are known by heart (memorization above one half; {n_sure:,} surely): "
        "the model is right on them where it was trained on them and wrong elsewhere",
        severity="low",
        measured=measured,
        action="look at these rows first: wrong labels, rare cases and hard ones are among them; "
        "that rows are memorized is no fault by itself (see OP103 for whether it costs anything)",
        figures=figures,
        details=details,
        **said,
    )


def _chart(scores: np.ndarray) -> Chart:
    edges = np.linspace(-1, 1, _BINS + 1)
    counts = np.histogram(np.clip(scores, -1, 1), edges)[0]
    share = np.cumsum(counts[::-1])[::-1] / len(scores)
    return Chart(
        "by_heart",
        "How many rows are memorized how much",
        "Share of the rows whose memorization score is at least so large. 0: as often right "
        "without the row as with it. 1: right only where the model was trained on it.",
        [
            Panel(
                "",
                Axis("Memorization score"),
                Axis("Rows with at least this score", "share", zero=True),
                [Series("rows", "train", edges[:-1], share)],
            )
        ],
    )


def _applies(subject: Subject) -> str:
    return "" if subject.has_classes else "the targets are numbers (see OP202 for their residuals)"


CHECK = Check(
    "OP201", "Rows known by heart", _run, ("models",), _applies, "memorization/labels_one_by_one"
)
