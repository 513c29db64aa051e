"""OP301: error on rows that were not seen, on rows that were, and the gap between the two."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import POINTS, Finding, Measured
from overparam.audits.in_use import gap_to_fresh
from overparam.measures.clustering import clustered_spread
from overparam.measures.error import wilson_interval
from overparam.measures.row_groups import mean_spread

_FEWEST = 10  # rows, below which no interval is worth its name


def _run(evidence: Evidence) -> Finding:
    error, where = error_of(evidence)
    train = training_error(evidence)
    baseline = baseline_loss(evidence)
    gap = Measured(
        error.value - 100 * train, error.low - 100 * train, error.high - 100 * train, POINTS
    )
    constant = "the most frequent class" if evidence.subject.has_classes else "the mean"
    measured = Measured(
        error.value, error.low, error.high, POINTS, 100 * baseline, f"always {constant}"
    )
    told = (
        f"Error {error} {where}, {_percent(train)} on the rows it was trained on, "
        f"{_percent(baseline)} of always saying {constant}"
    )
    details = {
        "test_error": {"value": error.value, "low": error.low, "high": error.high},
        "training_error": 100 * train,
        "gap": {"value": gap.value, "low": gap.low, "high": gap.high},
        "where": where,
    }
    if evidence.has("in_use"):
        in_use = _of_model_in_use(evidence)
        told, details["in_use"] = f"{told}. {in_use.pop('told')}", in_use
    if error.high >= 100 * baseline:
        worse = error.low > 100 * baseline
        return Finding(
            "found",
            f"{told}: it is {'worse than' if worse else 'not shown to be better than'} a constant "
            "answer",
            severity="critical" if worse else "high",
            measured=measured,
            action="look for a mistake first: columns and labels in one order, scaling, the "
            "learning rate; then try a simple model (OP308)",
            details=details,
        )
    return Finding(
        "passed",
        f"{told}. The gap is no fault by itself: whether it can be made smaller at no cost is what "
        "OP103 and OP307 measure",
        measured=measured,
        details=details,
    )


def _of_model_in_use(evidence: Evidence) -> dict[str, Any]:
    """What the model in use does, and how far that is from a fresh fit of its recipe."""
    in_use = evidence.in_use
    found: dict[str, Any] = {"training_error": 100 * in_use.train_loss}
    told = f"The model in use errs {_percent(in_use.train_loss)} on the training rows"
    if in_use.test is not None and np.isfinite(in_use.test.loss).all():
        error = _of_rows(in_use.test.loss, evidence)
        told += f" and {error} on the test rows"
        found["test_error"] = {"value": error.value, "low": error.low, "high": error.high}
    gap = None
    if evidence.has("one"):
        gap = gap_to_fresh(in_use, evidence.one, evidence.confidence, _copies_of_test(evidence))
    if gap is not None:
        is_apart = gap.low > 0 or gap.high < 0
        told += f", {gap} more than a fresh fit" + ("" if is_apart else " (no clear difference)")
        found["more_than_a_fresh_fit"] = {"value": gap.value, "low": gap.low, "high": gap.high}
    return {**found, "told": told}


def error_of(evidence: Evidence) -> tuple[Measured, str]:
    """Return the error on rows not seen, in points, and on which rows of which models that is.

    Of the one model on test rows, where there are any; else of the models on subsets.
    """
    if evidence.has("one") and evidence.one.test is not None:
        loss = evidence.one.test.loss
        if len(loss) >= _FEWEST and np.isfinite(loss).all():
            return _of_rows(loss, evidence), f"on {len(loss):,} test rows"
    models = evidence.models
    loss = models.test_loss if models.test_loss is not None else models.unseen_loss
    known = np.isfinite(loss)
    if int(known.any(0).sum()) < _FEWEST:
        raise Missing("skipped", "hardly a row that a model did not see")
    mean = float(np.nanmean(loss))
    parts = np.where(known, loss - mean, 0.0) / known.sum()
    spread = clustered_spread(parts.sum(0), parts.sum(1), float((parts**2).sum()))
    half = spread.half_width(evidence.confidence)
    where = "on test rows" if models.test_loss is not None else "on rows left out"
    n = int(models.n_trained[0])
    found = in_points(mean, max(mean - half, 0.0), mean + half)
    return found, f"{where}, of models trained on {n:,} rows"


def training_error(evidence: Evidence) -> float:
    """Return the mean loss on rows trained on, of the one model or of those on subsets."""
    if evidence.has("one") and np.isfinite(evidence.one.train_loss):
        return evidence.one.train_loss
    return float(np.nanmean(evidence.models.seen_loss))


def baseline_loss(evidence: Evidence) -> float:
    """Return the loss of the best constant answer, the most frequent class or the mean.

    It is learned of the training rows and judged on those that models are judged on.
    """
    trained, judged = _labels(evidence)
    if evidence.subject.has_classes:
        return float(np.mean(judged != np.bincount(trained).argmax()))
    variance = float(np.var(trained)) or 1.0
    return float(np.mean((judged - trained.mean(0)) ** 2)) / variance


def _labels(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Return labels of the training rows, and of test rows; of the former again without these."""
    subject = evidence.subject
    if subject.kind == "predictions":
        members = evidence.models.ensemble.members
        trained, tested = members.labels, members.test_labels
    else:
        trained = subject.train.labels
        tested = None if subject.test is None else subject.test.labels
    return np.asarray(trained), np.asarray(trained if tested is None else tested)


def _of_rows(loss: np.ndarray, evidence: Evidence) -> Measured:
    """Return the mean of independent rows' losses; copies among the rows count as one."""
    group = _copies_of_test(evidence)
    mean = float(loss.mean())
    if evidence.subject.has_classes and (group is None or group.max() + 1 == len(loss)):
        low, high = wilson_interval(int(loss.sum()), len(loss), evidence.confidence)
        return in_points(mean, low, high)
    group = np.arange(len(loss)) if group is None else group
    half = mean_spread(loss, group).half_width(evidence.confidence)
    return in_points(mean, max(mean - half, 0.0), mean + half)


def _copies_of_test(evidence: Evidence) -> np.ndarray | None:
    """Return which test rows are copies of each other, numbered; None where not known."""
    if evidence.subject.has_no_inputs or evidence.copies.group_of_other is None:
        return None
    return np.unique(evidence.copies.group_of_other, return_inverse=True)[1]


def _percent(loss: float) -> str:
    return f"{100 * loss:.3g} points"


def _needs_one_or_models(evidence: Evidence) -> Finding:
    if not evidence.has("one") and not evidence.has("models"):
        evidence.require("one")  # says why
    return _run(evidence)


CHECK = Check("OP301", "Error and gap", _needs_one_or_models)
