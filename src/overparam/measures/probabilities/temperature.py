"""The temperature that suits probabilities, and what it would gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_range
from overparam.measures.probabilities.label_means import added_labels, label_mean, of_labels
from overparam.measures.probabilities.predicted_rows import read_predicted
from overparam.measures.probabilities.recalibration import (
    log_losses,
    recalibrate,
    temperature_interval,
)


@dataclass(frozen=True)
class TemperatureEstimate:
    """The temperature that suits the probabilities, and what it gains.

    Attributes:
        temperature, low, high: above 1 where probabilities are too sure. low is 0 where ever
            sharper ones are compatible with the rows, high infinite where flat ones are. Where
            no temperature matters, 1, from 0 to infinity.
        gain: log loss that it takes away from rows that it was not fitted to, in nats; at times
            below 0. gain_low, gain_high: of what the best temperature takes away, which is never
            below 0; where the gain is, it is the lower end.
        log_loss: before, in nats.
        separated: every label is the most probable class. The sharper, the better these rows are
            fitted: they give no lower end, and the temperature is what the half miss makes it.
        n, n_unknown: rows, rows left out. confidence: in (0, 1).
    """

    temperature: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    log_loss: float
    separated: bool
    n: int
    n_unknown: int
    confidence: float


def estimate_temperature(
    probabilities: Any,
    labels: Any,
    *,
    classes: Any = None,
    groups: Any = None,
    confidence: float = 0.95,
) -> TemperatureEstimate:
    """Return the temperature T of least log loss of softmax(log p / T), and what it gains.

    T is fitted to the rows and to half a hit and half a miss more (Jeffreys' prior of a rate), of
    rows where the model expects them: that all of a few rows are right does not make T 0. The gain
    is measured on rows that T was not fitted to (five folds); the upper end of its interval is
    that of the gain on the rows that it was fitted to, which is too high. The interval of T holds
    those at which the interval of the mean slope of the log loss holds 0. Intervals are those of
    `proper_scores`: rare errors are in their variance before any was seen.

    Args:
        probabilities, labels, classes, groups, confidence: as in `reliability_curve`.

    Returns:
        A `TemperatureEstimate`; T between .01 and 100.

    Raises:
        DataError, UsageError: as in `reliability_curve`.

    Cost: six convex fits of one number. Assumption: groups are independent. Source: Guo, Pleiss,
    Sun, Weinberger 2017 (arXiv:1706.04599); cross-fitting and intervals are ours.

    >>> found = estimate_temperature([[0.9, 0.1]] * 100, [0] * 75 + [1] * 25)
    >>> round(found.temperature, 3)  # log 9 / log(75.5 / 25.5)
    2.024
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    rows = read_predicted(probabilities, labels, classes, groups)
    better = recalibrate(rows, shifts=False)
    before = log_losses(rows.said, rows)
    gains = [before - log_losses(said, rows) for said in (better.unseen, better.seen)]
    added = added_labels(rows.said, rows.group, rows.floor)
    gain = label_mean(gains, rows, added, confidence, (0.0, np.inf))
    sure = rows.said.max(1)
    return TemperatureEstimate(
        *temperature_interval(rows, confidence),
        gain.mean,
        gain.low,
        gain.high,
        float(of_labels(before, rows).mean()),
        bool((rows.own == sure).all() and (sure > rows.said.min(1)).any()),
        len(before),
        rows.n_unknown,
        confidence,
    )
