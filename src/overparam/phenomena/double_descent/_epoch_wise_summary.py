"""What the rule looks at along one training: the largest rise, the fall after it, and their epochs.

Records are those of cells with the outcomes of `overparam.phenomena.double_descent.epoch_wise`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.lab.crossing import crossings
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.selection import cross_selected_difference, largest_reversal
from overparam.lab.statistics import exp_interval, mean_interval
from overparam.lab.verdict import Interval
from overparam.phenomena.double_descent._curves import curves_of, times_of_largest_rise
from overparam.phenomena.double_descent._rules import wrong_labels
from overparam.phenomena.double_descent._wrong_labels import size_of_test_set

SMALL_NETWORK, CLEAN_LABELS = "small network", "clean labels"
ARMS = (TREATMENT, SMALL_NETWORK, CLEAN_LABELS)
NEARLY_FITTED = 0.1  # training error at which the effective model complexity reaches n_train


@dataclass(frozen=True)
class Summary:
    """One arm: epochs `[t]`, smoothed errors `[t, seeds]`, and what the rule looks at.

    Attributes:
        epochs: empty where no seed was measured. test_errors, train_errors: NaN in the columns
            of seeds that were not.
        rise: between the times selected on the other seeds. any_rise: the largest between any two
            times, not below what it is, nor above.
        fitted_over_peak: epoch at which training error falls to `NEARLY_FITTED`, over the peak's.
        left_out: what the arm is said to have and the design lacks.
        minimum_epoch, peak_epoch: as selected on all seeds. fitted_epoch: mean over seeds. NaN
            where there is none.
    """

    arm: str
    epochs: np.ndarray
    test_errors: np.ndarray
    train_errors: np.ndarray
    rise: Interval
    any_rise: Interval
    fall: Interval
    train_error_at_end: Interval
    fitted_over_peak: Interval
    minimum_epoch: float
    peak_epoch: float
    fitted_epoch: float
    left_out: tuple[str, ...]


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange each arm by epoch and seed."""
    arms = {arm: records.where(arm=arm) for arm in ARMS}
    return {arm: _summarise_arm(arm, found) for arm, found in arms.items() if len(found)}


def _summarise_arm(arm: str, records: Records) -> Summary:
    c = records[0].condition
    epochs, test, train = curves_of(records)
    n_seeds = test.shape[1]
    there = np.flatnonzero(~np.isnan(test).any(0)) if len(epochs) else np.array([], int)
    low, peak, end, peak_time = np.full((4, n_seeds), np.nan)
    for seed in there:
        others = test[:, there[there != seed]] if len(there) > 1 else test[:, there]
        first, second = times_of_largest_rise(others.mean(1))
        low[seed], peak[seed], end[seed] = test[[first, second, -1], seed]
        peak_time[seed] = np.log(epochs[second])
    first, second = times_of_largest_rise(test[:, there].mean(1)) if len(there) else (0, 0)
    step = 1 / size_of_test_set(c.dataset, c.n_test)
    fitted_time = np.full(n_seeds, np.nan)
    fitted_time[there] = crossings(np.log(epochs), train[:, there], NEARLY_FITTED)
    fitted = exp_interval(mean_interval(fitted_time)).estimate
    grid = largest_spacing(np.log(epochs), np.concatenate([fitted_time, peak_time]))
    return Summary(
        arm=arm,
        epochs=epochs,
        test_errors=test,
        train_errors=train,
        rise=cross_selected_difference(peak, low, step=step),
        any_rise=largest_reversal(-test, step=step),
        fall=cross_selected_difference(peak, end, step=step),
        train_error_at_end=mean_interval(
            train[-1] if len(there) else end, step=1 / c.n_train, bounds=(0, 1)
        ),
        fitted_over_peak=exp_interval(cross_selected_difference(fitted_time, peak_time, step=grid)),
        minimum_epoch=float(epochs[first]) if len(there) else np.nan,
        peak_epoch=float(epochs[second]) if len(there) else np.nan,
        fitted_epoch=fitted if np.isfinite(fitted) else np.nan,
        left_out=_left_out(arm, c),
    )


def _left_out(arm: str, c: Any) -> tuple[str, ...]:
    steady = () if c.schedule == "constant" else ("a constant learning rate",)
    if arm == CLEAN_LABELS:
        return steady
    left_out = (*wrong_labels(c.label_noise_rate, c.n_train), *steady)
    if arm == SMALL_NETWORK and c.small_width >= c.width:
        return (*left_out, "a smaller network")
    return left_out


def largest_spacing(levels: np.ndarray, at: np.ndarray) -> float:
    """Return the largest distance of neighbours from the first of these places on; 0 of none.

    In logarithms, whole epochs lie far apart at the start.
    """
    known = at[np.isfinite(at)]
    if not len(known):
        return 0.0
    return float(np.max(np.diff(levels)[levels[1:] >= known.min()], initial=0.0))
