"""OP403: the rows whose membership shows most."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from overparam.audits.check import Check
from overparam.audits.checks.privacy.membership import FEW, classes_only
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.measures.copies.neighbor_gaps import largest_p
from overparam.measures.error import wilson_interval

_FALSE_SHARE = 0.05  # of the rows that are called exposed
_MOST_ROWS = 1000


def _run(evidence: Evidence) -> Finding:
    found, n_models = evidence.exposure, evidence.models.n_models
    rows = found.by_row
    known = np.isfinite(rows.z_score)
    n = int(known.sum())
    if not n:
        return Finding(
            "undecided",
            f"{n_models} models do not tell of any row how much its membership shows",
            action="a larger --budget trains more models",
        )
    p = np.ones(len(known))
    p[known] = ndtr(-rows.z_score[known])
    cut = largest_p(p[known], _FALSE_SHARE)
    exposed = known & (p <= cut) & (cut > 0)
    k = int(exposed.sum())
    low, high = wilson_interval(k, n, evidence.confidence)
    measured = Measured(k / n, low, high, "of the rows", _FALSE_SHARE * k / n, "by chance")
    details = {"n_exposed": k, "n_known": n, "n_unknown": rows.n_unknown}
    if k:
        order = np.flatnonzero(exposed)
        order = order[np.argsort(-rows.low[order], kind="stable")][:_MOST_ROWS]
        return Finding(
            "found",
            f"The membership of {k:,} of {n:,} rows shows (5 % of them are expected to be called "
            f"so by chance); that of the most exposed one by {rows.low[order[0]]:.1f} standard "
            "deviations at least",
            severity="low",
            measured=measured,
            action="if the rows are people, look at these first: they are the ones that a leak "
            "concerns; leaving them out exposes others in their place",
            rows=order,
            row_columns={
                "gap": rows.gap[order].tolist(),
                "low": rows.low[order].tolist(),
                "high": rows.high[order].tolist(),
                "AUC of this row": rows.auc[order].tolist(),
            },
            details=details,
        )
    if found.advantage.high < FEW:
        return Finding(
            "passed",
            f"Of no row of {n:,} membership shows",
            measured=measured,
            details=details,
        )
    return Finding(
        "undecided",
        f"{n_models} models do not tell of single rows whether their membership shows",
        measured=measured,
        action="a larger --budget trains more models: some hundred tell of single rows",
        details=details,
    )


CHECK = Check(
    "OP403",
    "Rows most exposed",
    _run,
    ("models",),
    classes_only,
    "memorization/overfitting_leaks",
)
