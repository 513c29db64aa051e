"""OP205: rows that are copies of others up to small changes."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.memorization._copies import flattered, near_copies
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured, severity_of_cost
from overparam.lab.figure import Table
from overparam.measures.copies.near_duplicates import NearDuplicates
from overparam.measures.error import wilson_interval

_MOST_PAIRS = 500
_BLIND = 0.5  # of planted copies, even of the easiest kind: a search that finds fewer says little


def _run(evidence: Evidence) -> Finding:
    found, n = near_copies(evidence), evidence.subject.n_rows
    k = len(np.unique(found.pairs))
    low, high = wilson_interval(k, n, evidence.confidence)
    measured = Measured(k / n, low, high, "of the rows", found.expected_false / n, "by chance")
    details = {
        "n_pairs": len(found.pairs),
        "n_rows": k,
        "expected_false": found.expected_false,
        "canaries": {
            kind: {"recall": rate.rate, "low": rate.low, "high": rate.high, "n": rate.n}
            for kind, rate in found.planted.items()
        },
    }
    figures = (_table(found),)
    told = f"; on your own data it catches {_caught(found)}"
    if not k and max((rate.rate for rate in found.planted.values()), default=0.0) < _BLIND:
        return Finding(
            "undecided",
            f"No near copy was found among {n:,} rows, where the search misses most{told}",
            measured=measured,
            action="compare the rows by a key of your own, and give groups= for those that belong "
            "together",
            figures=figures,
            details=details,
        )
    if not k:
        return Finding(
            "passed",
            f"No row of {n:,} is nearly a copy of another{told}",
            measured=measured,
            figures=figures,
            details=details,
        )
    cost = _cost(evidence, found)
    rows = found.pairs[:_MOST_PAIRS].ravel()
    return Finding(
        "found",
        f"{k:,} of {n:,} rows are nearly copies of others ({len(found.pairs):,} pairs, "
        f"{found.expected_false:.1f} rows expected by chance); {_told(cost)}{told}",
        severity="low" if cost is None else severity_of_cost(cost),
        measured=measured,
        cost=cost,
        action="look at the nearest pairs; where they are copies, keep them together in every "
        "split (groups=)",
        rows=rows,
        row_columns={
            "near copy of": found.pairs[:_MOST_PAIRS, ::-1].ravel().tolist(),
            "distance": np.repeat(found.distance[:_MOST_PAIRS], 2).tolist(),
        },
        figures=figures,
        details=details,
    )


def _cost(evidence: Evidence, found: NearDuplicates) -> Measured | None:
    """Loss on rows left out where a near copy was trained on, against where none was."""
    if not evidence.has("models"):
        return None
    group = np.asarray(found.group)
    # Of rows that have a near copy alone: exact ones are told by OP204.
    has_near = np.isin(group, group[found.pairs.ravel()])
    tested = np.where(has_near, group, len(group) + np.arange(len(group)))
    return flattered(evidence, evidence.models.unseen_loss, tested, group)


def _told(cost: Measured | None) -> str:
    if cost is None:
        return "what a split that parts them flatters was not measured"
    if cost.low > 0:
        return f"a split that parts them makes the error look {cost} too low"
    return f"a split that parts them does not surely flatter ({cost})"


def _caught(found: NearDuplicates) -> str:
    shares = {kind: rate.rate for kind, rate in found.planted.items()}
    worst, best = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    return f"from {shares[worst]:.0%} ({worst}) to {shares[best]:.0%} ({best}) of planted copies"


def _table(found: NearDuplicates) -> Table:
    percent = {
        kind: Measured(100 * r.rate, 100 * r.low, 100 * r.high, "%")
        for kind, r in found.planted.items()
    }
    return Table(
        "planted_near_copies",
        "Planted near copies that are found",
        "Copies of up to 100 rows, changed in ways that leave them copies, searched by the same "
        "rule; share found, with its interval.",
        {"change": list(percent), "found": [str(m) for m in percent.values()]},
    )


CHECK = Check("OP205", "Near duplicates", _run, ("copies",))
