"""OP506: whether test rows can be told from training rows, by what, and what that costs."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.data._looked_at import (
    listed,
    n_columns_of,
    rows_as_table,
    why_no_rows,
)
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import POINTS, Finding, Measured, Severity, severity_of_cost
from overparam.lab.figure import Table
from overparam.measures import Shift, estimate_shift
from overparam.measures.clustering import Spread
from overparam.measures.row_groups import mean_spread

_PER_CUBE = 1.5e-9  # seconds, of rows of either table cubed
_MOST = 1000  # rows of either table
_FEWEST = 50
_PERMUTATIONS = 199
_LITTLE = 0.6  # AUC: rows that can hardly be told apart
_FAR = 0.8  # AUC from which on a shift whose cost is not known is not taken lightly


def _run(evidence: Evidence) -> Finding:
    one, other = (rows_as_table(e.inputs) for e in (evidence.subject.train, evidence.test))
    most = _rows_paid(evidence, n_columns_of(one))
    found = estimate_shift(
        one, other, n_permutations=_PERMUTATIONS, most_rows=most,
        confidence=evidence.confidence, seed=evidence.seed,
    )  # fmt: skip
    auc = found.together
    measured = Measured(auc.auc, auc.low, auc.high, "AUC", 0.5, "chance")
    cost = cost_of_shift(evidence)
    names = list(found.columns.predictive)
    looked = f" ({found.n_one:,} training and {found.n_other:,} test rows were looked at)"
    details = {
        "p_value": found.p_value, "auc": auc.auc, "columns": names,
        "rows": [found.n_one, found.n_other],
    }  # fmt: skip
    if found.p_value <= 1 - evidence.confidence:
        by = f", by {listed(names)}" if names and evidence.subject.is_table else ""
        by = by or (f", by how columns go together (AUC {measured})" if not names else "")
        priced = f"; models lose {cost} more on test rows than on rows left out" if cost else ""
        return Finding(
            "found",
            f"Test rows can be told from training rows{by}: AUC {measured}, p = {found.p_value:.2g}"
            f"{priced}{looked}",
            severity=_severity(cost, auc.low),
            measured=measured,
            cost=cost,
            action="ask which of the two new rows will be like; the gap between training and test "
            "error is then not overfitting alone: collect training rows like those, or weight "
            "them, and do not regularize for it",
            figures=(_table(found),),
            details=details,
        )
    told = f"Training and test rows are not told apart: AUC {measured}, p = {found.p_value:.2g}"
    if auc.high < _LITTLE + 0.05:
        return Finding("passed", f"{told}{looked}", measured=measured, details=details)
    return Finding(
        "undecided",
        f"{told}; a shift could be there all the same{looked}",
        measured=measured,
        action="more test rows narrow the interval",
        details=details,
    )


def cost_of_shift(evidence: Evidence) -> Measured | None:
    """Return how much more models lose on test rows than on training rows that they left out.

    Both are rows that no model saw, so that fitting too well is in both, and only what differs
    between the sets is left. None where there are no such models.
    """
    if not evidence.has("models"):
        return None
    unseen, tested = evidence.models.unseen_loss, evidence.models.test_loss
    known = np.isfinite(unseen).any(0)
    if tested is None or len(tested) < 2 or int(known.sum()) < 2 or not np.isfinite(tested).all():
        return None
    of_rows, of_tests = np.nanmean(unseen[:, known], axis=0), tested.mean(0)
    groups, test_groups = evidence.groups, evidence.test_groups
    group = np.arange(len(of_rows)) if groups is None else np.asarray(groups)[known]
    test_group = np.arange(len(of_tests)) if test_groups is None else test_groups
    parts = [
        mean_spread(of_rows, np.unique(group, return_inverse=True)[1]),
        mean_spread(of_tests, test_group),
    ]
    by_model = tested.mean(1) - np.nanmean(unseen, axis=1)
    variance = sum(part.variance for part in parts)
    spread = Spread(
        variance + float(np.var(by_model, ddof=1)) / len(by_model),
        min(*(part.freedom for part in parts), len(by_model) - 1),
    )
    half, apart = spread.half_width(evidence.confidence), float(of_tests.mean() - of_rows.mean())
    return Measured(100 * apart, 100 * (apart - half), 100 * (apart + half), POINTS)


def _severity(cost: Measured | None, auc_low: float) -> Severity:
    if cost is not None:
        return severity_of_cost(cost)
    return "medium" if auc_low >= _FAR else "low"


def _rows_paid(evidence: Evidence, n_columns: int) -> int:
    """Return how many rows of either table are paid for."""
    seconds = evidence.seconds_per_check
    by_cube = (seconds / _PER_CUBE) ** (1 / 3)
    by_column = seconds / (1e-5 * 2 * n_columns)
    most = int(min(by_cube, by_column, _MOST))
    if most < _FEWEST:
        raise Missing("skipped", f"the budget does not pay for {_FEWEST} rows of either table")
    return most


def _table(found: Shift) -> Table:
    order = np.argsort(found.columns.p_value - found.columns.score * 1e-3, kind="stable")[:20]
    return Table(
        "shift",
        "Columns by which test rows are told from training rows",
        "Balanced accuracy of telling the set a row is of by one column alone, on rows that were "
        "held out (0.5 by chance); p-values are adjusted for all columns.",
        {
            "column": [found.columns.names[i] for i in order],
            "score": [round(float(found.columns.score[i]), 4) for i in order],
            "p-value": [round(float(found.columns.p_value[i]), 4) for i in order],
        },
    )


CHECK = Check("OP506", "Shift between train and test", _run, ("test",), why_no_rows)
