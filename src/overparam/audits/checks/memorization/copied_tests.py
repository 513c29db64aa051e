"""OP206: test rows that were trained on, exactly or nearly, and what they flatter."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.memorization._copies import flattered, near_copies
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, Measured, severity_of_cost
from overparam.measures.copies.duplicates import Duplicates
from overparam.measures.error import wilson_interval

_MOST_ROWS = 1000


def _run(evidence: Evidence) -> Finding:
    copies, m = evidence.copies, len(evidence.test)
    n_exact = int(copies.is_in_first.sum())
    near, why_not = _near(evidence)
    groups = copies if near is None else near
    k = int(groups.is_in_first.sum())
    low, high = wilson_interval(k, m, evidence.confidence)
    measured = Measured(k / m, low, high, "of the test rows", 0.0, "no test row trained on")
    details: dict[str, Any] = {
        "n_exact": n_exact,
        "n_near": k - n_exact,
        "n_test": m,
        "near_copies": why_not or "searched",
    }
    if not k:
        nearly = "" if near is None else " or nearly a copy"
        return Finding(
            "passed",
            f"No test row of {m:,} is a copy{nearly} of a training row",
            measured=measured,
            details=details,
        )
    cost = _cost(evidence, groups)
    rows, of_test = _pairs(groups)
    return Finding(
        "found",
        f"{k:,} of {m:,} test rows were trained on ({n_exact:,} exactly, {k - n_exact:,} nearly): "
        f"{_told(cost)}",
        severity="low" if cost is None else severity_of_cost(cost),
        measured=measured,
        cost=cost,
        action="take these rows out of the training set or of the test set, and judge by the rest"
        if cost is None or cost.high > 0
        else "take them out at the next occasion; they do not flatter the error",
        rows=rows,
        row_columns={"test row": of_test},
        details=details,
    )


def _near(evidence: Evidence) -> tuple[Duplicates | None, str]:
    """Return exact and near copies between the sets, or why near ones are not looked for."""
    try:
        return near_copies(evidence, evidence.test.inputs), ""
    except Missing as missing:
        return None, missing.reason


def _cost(evidence: Evidence, groups: Duplicates) -> Measured | None:
    if not evidence.has("models") or evidence.models.test_loss is None:
        return None
    assert groups.group_of_other is not None  # there is a test set
    return flattered(
        evidence,
        evidence.models.test_loss,
        np.asarray(groups.group_of_other),
        np.asarray(groups.group),
    )


def _told(cost: Measured | None) -> str:
    if cost is None:
        return "what that flatters was not measured"
    if cost.low > 0:
        return f"the test error is {cost} too low"
    return f"that does not surely flatter the test error ({cost})"


def _pairs(groups: Duplicates) -> tuple[np.ndarray, list[int]]:
    """Return training rows that test rows are copies of, and the first such test row of each."""
    assert groups.group_of_other is not None  # there is a test set
    others = np.asarray(groups.group_of_other)
    first = {int(g): int(j) for j, g in reversed(list(enumerate(others))) if g < len(groups.group)}
    rows = np.flatnonzero(np.isin(groups.group, list(first)))[:_MOST_ROWS]
    return rows, [first[int(groups.group[i])] for i in rows]


CHECK = Check("OP206", "Test rows that were trained on", _run, ("test", "copies"))
