"""OP604: fits that diverged or failed, numbers that are not finite, and spikes of the loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from overparam.audits.check import Check
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured, Severity
from overparam.audits.one_model import OneModel
from overparam.lab.figure import Axis, Chart, Panel, Series
from overparam.lab.pool_errors import was_out_of_time
from overparam.measures.jeffreys import jeffreys_accuracies

_OFTEN = 0.1  # share of fits that end badly, from which on no result is to be relied on
_SPIKE = 0.25  # of what training took off the loss, that a rise gives back at once
_ACTION = (
    "train with a smaller learning rate, a warm-up or clipped gradients, and look for extreme "
    "values in the inputs"
)


def _run(evidence: Evidence) -> Finding:
    if not evidence.has("one") and not evidence.has("models"):
        evidence.require("one")  # says why
    one = evidence.one if evidence.has("one") else None
    counts = _counts(evidence, one)
    n, bad = counts["fits"], counts["diverged"] + counts["failed"]
    low, high = (float(v[0]) for v in _interval(bad, n, evidence.confidence))
    measured = Measured(bad / n, low if bad else 0.0, high, "of the fits", 0.0, "all end well")
    details: dict[str, Any] = {**counts, "spikes": []}
    if one is not None and one.fitted is not None and one.fitted.status == "diverged":
        return Finding(
            "found",
            f"Training on all rows diverged, and {bad} of {n} fits did or failed",
            severity="critical",
            measured=measured,
            action=_ACTION,
            details=details,
        )
    if bad:
        severity: Severity = "high" if low >= _OFTEN else "medium"
        return Finding(
            "found",
            f"{counts['diverged']} of {n} fits diverged and {counts['failed']} failed, a share of "
            f"{measured}",
            severity=severity,
            measured=measured,
            action=f"{_ACTION}; what failed says why: {counts['error'] or 'it diverged'}",
            details=details,
        )
    not_finite = 0 if one is None else _not_finite(one)
    if not_finite:
        return Finding(
            "found",
            f"{not_finite:,} numbers of the trained model, its weights or what it says, are not "
            "finite",
            severity="high",
            measured=measured,
            action=_ACTION,
            details={**details, "not_finite": not_finite},
        )
    course = np.empty(0) if one is None else one.row_losses.mean(1)
    spikes, lasting = spikes_of(course)
    if len(spikes):
        assert one is not None  # whose losses these are
        epochs = [int(e) for e in one.epochs[spikes]]
        back = "and has not come down again" if lasting else "and comes down again"
        return Finding(
            "found",
            f"Training loss leaps up near epoch {', '.join(map(str, epochs[:3]))} {back}",
            severity="medium" if lasting else "low",
            measured=measured,
            action=_ACTION,
            figures=(_figure(one),),
            details={**details, "spikes": epochs},
        )
    course_told = "" if len(course) < 2 else ", and the loss has no spike"
    return Finding(
        "passed",
        f"All {n} fits ended well, with finite numbers{course_told}",
        measured=measured,
        details=details,
    )


def spikes_of(loss: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the steps at which a training loss `[T]` leaps up, and whether it stays up.

    A leap gives back a quarter of all that training took off the loss, against the lowest before.

    >>> spikes_of(np.array([4.0, 2.0, 1.0, 3.0, 0.9, 0.5]))
    (array([3]), False)
    >>> spikes_of(np.array([4.0, 2.0, 1.0, 1.1, 0.9, 0.5]))[0]
    array([], dtype=int64)
    """
    if len(loss) < 3 or not np.isfinite(loss).all():
        return np.empty(0, np.int64), False
    lowest = np.minimum.accumulate(loss)
    taken = float(loss[0] - lowest[-1])
    up = loss - lowest > _SPIKE * max(taken, 0.0)
    if taken <= 0:
        return np.empty(0, np.int64), False
    begins = up & ~np.concatenate([[False], up[:-1]])
    return np.flatnonzero(begins), bool(up[-1])


def _counts(evidence: Evidence, one: OneModel | None) -> dict[str, Any]:
    records = list(evidence.models.ensemble.records) if evidence.has("models") else []
    # What was ended because the budget was spent says nothing of how training went.
    records = [r for r in records if r.status != "unrun" and not was_out_of_time(r.error or "")]
    failed = [r for r in records if r.status == "failed"]
    diverged = sum(r.status == "diverged" for r in records)
    if one is not None and one.fitted is not None:
        diverged += one.fitted.status == "diverged"
    return {
        "fits": len(records) + (one is not None),
        "diverged": int(diverged),
        "failed": len(failed),
        "error": failed[0].error[:200] if failed else "",
    }


def _interval(bad: int, n: int, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    found = jeffreys_accuracies(np.array([bad]), np.array([n]), confidence)
    return found.low, found.high


def _not_finite(one: OneModel) -> int:
    """Return how many of the model's weights are not finite, and how many outputs are NaN."""
    said = [one.train.outputs, *([] if one.test is None else [one.test.outputs])]
    n = sum(int(np.isnan(o).sum()) for o in said)
    state = getattr(one.fitted, "state", None) or {}
    return n + sum(int((~torch.isfinite(w)).sum()) for w in state.values() if w.is_floating_point())


def _figure(one: OneModel) -> Chart:
    series = Series("training rows", "train", one.epochs, one.row_losses.mean(1))
    return Chart(
        "spikes",
        "Training loss leaps up",
        "Mean loss of the training rows at the epochs that were looked at.",
        [Panel("", Axis("Epoch", "epochs"), Axis("Loss"), [series])],
    )


CHECK = Check("OP604", "Spikes and divergence", _run)
