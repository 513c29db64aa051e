"""OP102: the share of wrong labels that the recipe could still fit."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.capacity._fits import fits, share_that_fits
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.audits.subject import Subject


def _run(evidence: Evidence) -> Finding:
    told = {}
    for share, models in evidence.shuffled:
        fitted, low, high = share_that_fits(fits(models), evidence.confidence)
        lost = float(np.nanmean(models.seen_loss))
        told[share] = (fitted, low, high, lost)
    most = max(told)
    fitted, low, high, lost = told[most]
    measured = Measured(1 - lost, 1 - lost, 1 - lost, "of shuffled labels fitted")
    chance = _majority(evidence)
    details = {
        f"{share:g}": dict(zip(_NAMES, values, strict=True)) for share, values in told.items()
    }
    n = int(evidence.shuffled[0][1].n_trained[0])
    if lost == 0:
        return Finding(
            "found",
            f"It fits {n:,} rows whatever their labels are: with all labels shuffled training "
            "error is 0, so training error says nothing of whether it learned",
            severity="low",
            measured=measured,
            action="judge by rows that it did not see (OP301), never by training error",
            details=details,
        )
    return Finding(
        "passed",
        f"With all labels shuffled it fits {1 - lost:.1%} of {n:,} rows (always the most frequent "
        f"class: {chance:.1%}), so labels that follow nothing are not all learned by heart",
        measured=measured,
        details=details,
    )


_NAMES = ("share_that_fits", "low", "high", "training_error")


def _majority(evidence: Evidence) -> float:
    labels = evidence.subject.train.labels
    return float(np.bincount(labels).max() / len(labels))


def _applies(subject: Subject) -> str:
    return "" if subject.has_classes else "the targets are numbers, not classes"


CHECK = Check(
    "OP102",
    "Wrong labels it could fit",
    _run,
    ("shuffled",),
    _applies,
    "memorization/random_labels",
)
