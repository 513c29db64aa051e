"""OP102: the share of wrong labels that the recipe could still fit."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.capacity._fits import fits, share_fitted, share_that_fits
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.audits.subject import Subject
from overparam.audits.subset_models import SubsetModels

_NAMES = ("share_that_fits", "low", "high", "share_fitted")


def _run(evidence: Evidence) -> Finding:
    details, fitted_at = {}, {}
    for share, models in evidence.shuffled:
        found = fits(evidence, models)
        fitted_at[share] = bool(found.all())
        values = (*share_that_fits(found, evidence.confidence), 1 - _lost(models))
        details[f"{share:g}"] = dict(zip(_NAMES, values, strict=True))
    most, models = max(evidence.shuffled, key=lambda part: part[0])
    told = share_fitted(models, evidence.confidence)
    chance, name = _trivial(evidence.subject)
    measured = Measured(told.value, told.low, told.high, told.unit, chance, name)
    n = int(models.n_trained[0])
    what = "labels" if evidence.subject.has_classes else "targets"
    if fitted_at[most]:
        return Finding(
            "found",
            f"It fits {n:,} rows whatever their {what} are: of {what} that were shuffled it fits "
            f"{measured}, so training error says nothing of whether it learned",
            severity="low",
            measured=measured,
            action="judge by rows that it did not see (OP301), never by training error",
            details=details,
        )
    some = [share for share, is_fitted in fitted_at.items() if is_fitted]
    up_to = f", though it fits them with {max(some):.0%} of the {what} wrong" if some else ""
    return Finding(
        "passed",
        f"With all {what} shuffled it fits {measured} of {n:,} rows ({name}: {chance:.1%}), so "
        f"{what} that follow nothing are not all learned by heart{up_to}",
        measured=measured,
        details=details,
    )


def _lost(models: SubsetModels) -> float:
    return float(np.nanmean(models.seen_loss))


def _trivial(subject: Subject) -> tuple[float, str]:
    """Return how much of shuffled labels a constant answer fits, and what that is."""
    labels = subject.train.labels
    if not subject.has_classes:
        return 0.0, "always the mean"
    return float(np.bincount(labels).max() / len(labels)), "always the most frequent class"


CHECK = Check(
    "OP102",
    "Wrong labels it could fit",
    _run,
    ("shuffled",),
    validated_by="memorization/random_labels",
)
