"""A change of log loss: which part is calibration, which is refinement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_count, check_range
from overparam.measures.probabilities.label_means import added_labels, label_mean
from overparam.measures.probabilities.predicted_rows import PredictedRows, read_predicted
from overparam.measures.probabilities.recalibration import log_losses, recalibrate
from overparam.measures.row_groups import MeanInterval


@dataclass(frozen=True)
class LossChange:
    """Log loss of several models on the same rows, and what made it change.

    Attributes:
        log_loss, calibration, refinement, error: of each model, T of them, which sum up as
            log_loss = calibration + refinement; error is the fraction classified wrongly.
        log_loss_change, calibration_change, refinement_change, error_change: of each model less
            those of the reference, by pairs of rows. Above 0: worse.
        reference: the model compared with. n, n_unknown: rows, rows left out.
        confidence: nominal coverage, in (0, 1).
    """

    log_loss: tuple[MeanInterval, ...]
    calibration: tuple[MeanInterval, ...]
    refinement: tuple[MeanInterval, ...]
    error: tuple[MeanInterval, ...]
    log_loss_change: tuple[MeanInterval, ...]
    calibration_change: tuple[MeanInterval, ...]
    refinement_change: tuple[MeanInterval, ...]
    error_change: tuple[MeanInterval, ...]
    reference: int
    n: int
    n_unknown: int
    confidence: float


def loss_change(
    probabilities: Any,
    labels: Any,
    *,
    reference: int = 0,
    classes: Any = None,
    groups: Any = None,
    confidence: float = 0.95,
) -> LossChange:
    """Return which part of a change of log loss is calibration, and which is refinement.

    For "validation loss rises while accuracy improves": a model that grows too sure loses by
    calibration, which a temperature mends, and may gain in refinement all the while. Refinement is
    the log loss after a temperature and one shift for each class, fitted to other rows (five
    folds, the same for all models); calibration is what these take away. Changes are paired by row.

    Args:
        probabilities: `[T, n, K]` of T epochs or models, or `[T, n]` of the second of two classes.
            A list of T DataFrames, with the same columns, may name the classes. A row of which any
            model says NaN is left out of all.
        reference: the model that others are compared with, 0 ... T - 1.
        labels, classes, groups, confidence: as in `reliability_curve`.

    Returns:
        A `LossChange`. Intervals are those of `proper_scores`, each widened to hold that of the
        parts fitted to all rows; every change has its own, none is simultaneous. Models whose
        answers are alike on all n rows have an error change of 0, about ±2.8/n.

    Raises:
        DataError, UsageError: as in `reliability_curve`, DataFrames whose columns differ, or a
            reference that is none of the models.

    Cost: 6 T convex fits. Assumption: groups are independent. Source: Berta, Holzmüller, Jordan,
    Bach 2025 (arXiv:2501.19195) for refinement as the loss after recalibration; pairing, shifts and
    intervals are ours.

    >>> sure, unsure = [[0.999, 0.001]] * 100, [[0.75, 0.25]] * 100
    >>> found = loss_change([unsure, sure], np.repeat([0, 1], [75, 25]))
    >>> change = found.log_loss_change[1].mean  # .75 log(.75/.999) + .25 log(.25/.001)
    >>> round(change, 3), round(found.calibration_change[1].mean, 1), found.error_change[1].mean
    (1.165, 1.2, 0.0)
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    rows = read_predicted(probabilities, labels, classes, groups, n_axes=3)
    check_count("reference", reference, 0, len(rows.said) - 1)
    base = _parts_of(rows, reference)
    found: dict[str, list[MeanInterval]] = {}
    for t in range(len(rows.said)):  # one after the other: each holds several [n, K]
        parts = _parts_of(rows, t)
        for name, values in parts.items():
            changes = [a - b for a, b in zip(values, base[name], strict=True)]
            most = 1.0 if name == "error" else np.inf
            step = float(name == "error" and t != reference)
            for key, some, by, within, swap in (
                (name, values, [t], (0.0, most), None),
                (f"{name}_change", changes, [t, reference], (-most, most), step),
            ):
                added = added_labels(rows.said[by].mean(0), rows.group, rows.floor)
                mean = label_mean(some, rows, added, confidence, within, swap)
                found.setdefault(key, []).append(mean)
    return LossChange(
        **{name: tuple(means) for name, means in found.items()},
        reference=reference,
        n=len(rows.labels),
        n_unknown=rows.n_unknown,
        confidence=confidence,
    )


def _parts_of(rows: PredictedRows, model: int) -> dict[str, list[np.ndarray]]:
    """Return parts of the log loss of each class as the label, and the error, each `[n, K]`.

    Each twice: recalibrated by other rows, and by all.
    """
    one = PredictedRows(
        rows.said[model], rows.labels, rows.group, rows.classes, rows.n_unknown, rows.floor
    )
    better = recalibrate(one, shifts=True)
    loss = log_losses(one.said, one)
    refined = [log_losses(said, one) for said in (better.unseen, better.seen)]
    wrong = np.ones_like(loss)
    np.put_along_axis(wrong, one.said.argmax(1)[:, None], 0.0, 1)
    return {
        "log_loss": [loss, loss],
        "calibration": [loss - r for r in refined],
        "refinement": refined,
        "error": [wrong, wrong],
    }
