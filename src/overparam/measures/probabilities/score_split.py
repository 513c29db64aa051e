"""Log loss and Brier score, split into what recalibration would remove and what it would not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_range
from overparam.measures.probabilities.label_means import added_labels, label_mean
from overparam.measures.probabilities.predicted_rows import PredictedRows, read_predicted
from overparam.measures.probabilities.recalibration import log_losses, recalibrate
from overparam.measures.row_groups import MeanInterval


@dataclass(frozen=True)
class ScoreSplit:
    """A proper score and its parts: score = uncertainty - resolution + calibration.

    Attributes:
        score: of the probabilities as they are; smaller is better.
        calibration: what recalibration takes away. resolution: what recalibrated probabilities
            gain over class frequencies. uncertainty: the score of class frequencies, the trivial
            baseline. refinement: uncertainty - resolution, the score that recalibration leaves.
    """

    score: MeanInterval
    calibration: MeanInterval
    resolution: MeanInterval
    uncertainty: MeanInterval
    refinement: MeanInterval


@dataclass(frozen=True)
class ProperScores:
    """Log loss and Brier score of the same rows.

    Attributes:
        log_loss: in nats. brier: in [0, 2], squares summed over classes.
        n, n_unknown: rows, rows left out. n_floored: rows whose label has a probability below the
            least that is taken (that of the dtype; log loss would be infinite).
        confidence: nominal coverage, in (0, 1).
    """

    log_loss: ScoreSplit
    brier: ScoreSplit
    n: int
    n_unknown: int
    n_floored: int
    confidence: float


def proper_scores(
    probabilities: Any,
    labels: Any,
    *,
    classes: Any = None,
    groups: Any = None,
    confidence: float = 0.95,
) -> ProperScores:
    """Return log loss -log p_y and Brier score sum_k (p_k - 1[y = k])^2 with Murphy's split.

    Calibration is what a recalibration softmax(log p / T + b) takes away, b one shift for each
    class; resolution what recalibrated probabilities gain over class frequencies. Both are
    measured on rows that the recalibration was not fitted to (five folds), class frequencies on
    rows left out likewise. The interval reaches from that of the cross-fitted parts to that of the
    parts fitted to all rows, since the best recalibration lies between. Calibration and resolution
    are not below 0, so neither is their interval, unless their estimate is: of few rows the
    cross-fitted one may be, and the interval begins there.

    Args:
        probabilities, labels, classes, groups, confidence: as in `reliability_curve`.

    Returns:
        `ProperScores`. Intervals are t intervals, groups drawn as wholes, shifted for skewness
        (`skewed_bounds`). One hit and one miss more are in the variance, where the model expects
        them: what rare errors cost is counted before any was seen, and how often they come is left
        to the labels. Rare errors elsewhere, on rows that the model is surest of, are not.

    Raises:
        DataError, UsageError: as in `reliability_curve`.

    Cost: six convex fits of K + 1 numbers to n K. Assumption: groups are independent. Differs from
    Murphy 1973 (J. Applied Meteorology 12, 595), who cuts probabilities into bins, by one smooth
    map instead: for any number of classes, without a number of bins, and the same for both scores.
    What the map cannot mend is counted as refinement (Berta et al. 2025, arXiv:2501.19195, who
    take a temperature alone). Log loss takes probabilities below the dtype's epsilon as epsilon,
    as scikit-learn does.

    >>> said = np.repeat([[0.8, 0.2], [0.4, 0.6]], 500, axis=0)
    >>> labels = np.repeat([0, 1, 1, 0], [400, 100, 300, 200])
    >>> found = proper_scores(said, labels)
    >>> round(found.brier.score.mean, 3)  # (2 (.8 .2) + 2 (.6 .4)) / 2
    0.4
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    rows = read_predicted(probabilities, labels, classes, groups)
    better = recalibrate(rows, shifts=True)
    frequencies = _class_frequencies(rows)
    log_loss, brier = (
        _split(score, rows, better.seen, better.unseen, *frequencies, confidence)
        for score in (log_losses, _brier_scores)
    )
    n_floored = int((rows.own < rows.floor).sum())
    return ProperScores(log_loss, brier, len(rows.labels), rows.n_unknown, n_floored, confidence)


def _split(
    score: Callable[[np.ndarray, PredictedRows], np.ndarray],
    rows: PredictedRows,
    seen: np.ndarray,
    unseen: np.ndarray,
    prior_seen: np.ndarray,
    prior_unseen: np.ndarray,
    confidence: float,
) -> ScoreSplit:
    added = added_labels(rows.said, rows.group, rows.floor)

    def mean(parts: Iterable[np.ndarray]) -> MeanInterval:
        return label_mean(parts, rows, added, confidence, (0.0, np.inf))

    now = score(rows.said, rows)
    refined = [score(said, rows) for said in (unseen, seen)]
    trivial = [score(said, rows) for said in (prior_unseen, prior_seen)]
    return ScoreSplit(
        mean([now]),
        mean(now - part for part in refined),
        mean(one - other for one, other in zip(trivial, refined, strict=True)),
        mean(trivial),
        mean(refined),
    )


def _class_frequencies(rows: PredictedRows) -> tuple[np.ndarray, np.ndarray]:
    """Return class frequencies of all rows, and for each row those of the other groups.

    One row is added in equal parts to all classes, so that none is impossible.
    """
    n_classes = rows.said.shape[1]
    counts = np.bincount(rows.labels, minlength=n_classes) + 1 / n_classes
    own = np.zeros((int(rows.group.max()) + 1, n_classes))
    np.add.at(own, (rows.group, rows.labels), 1)
    others = counts - own[rows.group]
    seen = np.broadcast_to(counts / counts.sum(), others.shape)
    return seen, others / others.sum(1, keepdims=True)


def _brier_scores(said: np.ndarray, rows: PredictedRows) -> np.ndarray:
    """Return the score of each class as the label, `[n, K]`."""
    return (said**2).sum(1, keepdims=True) - 2 * said + 1
