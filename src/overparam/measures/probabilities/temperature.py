"""The temperature that suits probabilities, and what it would gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from overparam.checks import check_range
from overparam.measures.probabilities.predicted_rows import read_predicted
from overparam.measures.probabilities.recalibration import (
    log_losses,
    recalibrate,
    temperature_interval,
)
from overparam.measures.row_groups import hulled_mean


@dataclass(frozen=True)
class TemperatureEstimate:
    """The temperature that suits the probabilities, and what it gains.

    Attributes:
        temperature, low, high: above 1 where probabilities are too sure. low is 0 where ever
            sharper ones are compatible with the rows, high infinite where flat ones are.
        gain: log loss that it takes away from rows that it was not fitted to, in nats; at times
            below 0. gain_low, gain_high: of what the best temperature takes away, which is never
            below 0.
        log_loss: before, in nats. n, n_unknown: rows, rows left out. confidence: in (0, 1).
    """

    temperature: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    log_loss: float
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

    The gain is measured on rows that T was not fitted to (five folds); the upper end of its
    interval is that of the gain on the rows that it was fitted to, which is too high. The interval
    of T holds those at which the mean slope of the log loss is within its t interval of 0.

    Args:
        probabilities, labels, classes, groups, confidence: as in `reliability_curve`.

    Returns:
        A `TemperatureEstimate`; T between .01 and 100.

    Raises:
        DataError, UsageError: as in `reliability_curve`.

    Cost: six convex fits of one number. Assumption: groups are independent. Source: Guo, Pleiss,
    Sun, Weinberger 2017 (arXiv:1706.04599); cross-fitting and intervals are ours.

    >>> found = estimate_temperature([[0.9, 0.1]] * 100, [0] * 75 + [1] * 25)
    >>> round(found.temperature, 3)  # log 9 / log 3
    2.0
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    rows = read_predicted(probabilities, labels, classes, groups)
    better = recalibrate(rows, shifts=False)
    before = log_losses(rows.said, rows)
    gains = [before - log_losses(said, rows) for said in (better.unseen, better.seen)]
    gain = hulled_mean(gains, rows.group, confidence, floor=0.0)
    return TemperatureEstimate(
        *temperature_interval(rows, confidence),
        gain.mean,
        gain.low,
        gain.high,
        float(before.mean()),
        len(before),
        rows.n_unknown,
        confidence,
    )
