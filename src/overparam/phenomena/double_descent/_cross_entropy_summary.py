"""What the rule looks at in networks over their width: smoothed test errors, threshold and peak.

Records are those of cells with the outcomes of `overparam.phenomena.double_descent.cross_entropy`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.lab.crossing import crossing_interval
from overparam.lab.intervals import logs_above, step_of_logs
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.statistics import PeakTest, exp_interval, peak_test
from overparam.lab.verdict import Interval
from overparam.measures.complexity import DEFAULT_EPSILON
from overparam.phenomena.double_descent._curves import mean_over_neighbours
from overparam.phenomena.double_descent._rules import largest_rise, wrong_labels
from overparam.phenomena.double_descent._wrong_labels import size_of_test_set

BEST_EPOCH, CLEAN_LABELS = "best epoch", "clean labels"


@dataclass(frozen=True)
class Summary:
    """One arm: widths `[m]`, errors `[m, seeds]`, and what the rule looks at.

    Attributes:
        threshold: width at which training error falls to epsilon, of the treatment; also in the
            controls, whose sweep is the same and is to reach across it.
        peak: None where the threshold is nowhere in the sweep. rise: the largest.
        left_out: what the claim names and the design lacks.
    """

    arm: str
    widths: np.ndarray
    test_error: np.ndarray
    train_error: np.ndarray
    threshold: Interval
    peak: PeakTest | None
    rise: Interval
    left_out: tuple[str, ...]


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange each arm by width and seed; the best epoch is read from the treatment's cells."""
    whole = records.where(train_share=max(records.levels("train_share")))
    noisy, clean = whole.where(labels="noisy"), whole.where(labels="clean")
    arms = {TREATMENT: (noisy, "test_error"), BEST_EPOCH: (noisy, "best_test_error")}
    arms[CLEAN_LABELS] = (clean, "test_error")
    axis, train_error = (noisy if len(noisy) else clean).matrix("train_error", by="width")
    threshold = exp_interval(crossing_interval(np.log(axis), train_error, DEFAULT_EPSILON))
    return {
        arm: _summarise_arm(arm, own, field, threshold)
        for arm, (own, field) in arms.items()
        if len(own)
    }


def _summarise_arm(arm: str, records: Records, field: str, threshold: Interval) -> Summary:
    c = records[0].condition
    axis, test_error = records.matrix(field, by="width")
    train_error = records.matrix("train_error", by="width")[1]
    smooth, step = (
        smoothed(test_error),
        smoothed_step(test_error, 1 / size_of_test_set(c.dataset, c.n_test)),
    )
    peak = None
    if axis[0] <= threshold.estimate <= axis[-1]:
        peak = peak_test(axis, smooth, at=threshold.estimate, step=step)
    rise = largest_rise(smooth, step)
    left_out = () if arm == CLEAN_LABELS else wrong_labels(c.label_noise_rate, c.n_train)
    return Summary(arm, axis, test_error, train_error, threshold, peak, rise, left_out)


def smoothed(errors: np.ndarray) -> np.ndarray:
    """Return geometric means of `[m, seeds]` over a width and its neighbours, two at the ends.

    Single narrow networks of one seed may be stuck by their initial weights; neighbours, which
    have others, say what is typical there.
    """
    return np.exp(mean_over_neighbours(logs_above(errors, 0.0), 1))  # an error of 0 stays 0


def smoothed_step(errors: np.ndarray, step: float) -> np.ndarray:
    """Return how far apart smoothed errors lie at each width, `[m]`.

    One of three that is low may be far coarser, in logarithms, than the mean of the three.
    """
    steps = mean_over_neighbours(step_of_logs(step, logs_above(errors, 0.0))[:, None], 1)[:, 0]
    ratio = step_of_logs(1.0, logs_above(smoothed(errors), 0.0))  # of a step of 1, to the mean
    return np.where(ratio > 0, steps / np.where(ratio > 0, ratio, 1.0), 0.0)
