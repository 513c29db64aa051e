"""OP204: exact duplicates within the training rows, and what they flatter."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.memorization._copies import flattered, groups_of_copies_only
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured, severity_of_cost
from overparam.data.rows import take_rows
from overparam.measures.copies.duplicates import find_duplicates
from overparam.measures.error import wilson_interval

_MOST_ROWS = 1000
_N_PLANTED = 100


def _run(evidence: Evidence) -> Finding:
    copies, n = evidence.copies, evidence.subject.n_rows
    k = int(copies.is_copy.sum())
    low, high = wilson_interval(k, n, evidence.confidence)
    measured = Measured(k / n, low, high, "of the rows", 0.0, "all rows different")
    planted = _planted(evidence)
    details = {"n_copies": k, "n_sets": len(copies.sets), "canaries": planted}
    n_planted = planted["n_planted"]
    told = f"; on your own data it catches {planted['caught']} of {n_planted} planted copies"
    if not k:
        return Finding(
            "passed",
            f"No row of {n:,} is an exact copy of another{told}",
            measured=measured,
            details=details,
        )
    cost = _cost(evidence)
    rows = np.concatenate(copies.sets)[:_MOST_ROWS]
    return Finding(
        "found",
        f"{k:,} of {n:,} rows are exact copies of earlier ones{_labels(evidence)}; {_told(cost)}"
        f"{told}",
        severity="low" if cost is None else severity_of_cost(cost),
        measured=measured,
        cost=cost,
        action="keep copies together in every split (groups=), as this audit does; remove them "
        "only if they are mistakes of collection, for true repeats are data",
        rows=rows,
        row_columns={"copy of": copies.group[rows]},
        details=details,
    )


def _cost(evidence: Evidence) -> Measured | None:
    """What a split that parts copies flatters: loss where a row's group was not seen less where
    it was.

    Copies are in or out together in this audit, so a model that saw the group saw the row too.
    """
    if not evidence.has("models"):
        return None
    group = np.asarray(evidence.copies.group)
    return flattered(evidence, evidence.models.loss, groups_of_copies_only(group), group)


def _told(cost: Measured | None) -> str:
    if cost is None:
        return "what a split that parts them would flatter was not measured"
    if cost.low > 0:
        return f"a split that parts them makes the error look up to {cost} too low"
    return f"a split that parts them does not surely flatter ({cost})"


def _labels(evidence: Evidence) -> str:
    if not evidence.subject.has_classes:
        return ""
    n = len(evidence.conflicts.rows)
    return f", {n:,} sets of them with different labels (OP203)" if n else ", all with equal labels"


def _planted(evidence: Evidence) -> dict[str, int]:
    """Search copies of some rows, to see that the search finds what is there."""
    inputs, n = evidence.subject.train.inputs, evidence.subject.n_rows
    chosen = np.random.default_rng(evidence.seed).permutation(n)[:_N_PLANTED]
    found = find_duplicates(inputs, take_rows(inputs, chosen)).is_in_first
    return {"n_planted": len(chosen), "caught": int(found.sum())}


CHECK = Check("OP204", "Exact duplicates", _run, ("copies",))
