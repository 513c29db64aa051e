"""What the rule looks at in networks over their number of parameters: losses, peak and threshold.

Records are those of cells with the outcomes of `overparam.phenomena.double_descent.squared_loss`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.data.entries import entry_of
from overparam.lab.crossing import crossing_interval
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.statistics import PeakTest, exp_interval, peak_test
from overparam.lab.verdict import Interval
from overparam.models import mlp_n_params
from overparam.phenomena.double_descent._parameter_widths import sizes
from overparam.phenomena.double_descent._rules import largest_rise, over_each, wrong_labels

BEST_EPOCH, CLEAN_LABELS = "best epoch", "clean labels"
FITTED = 0.01  # training error that counts as interpolation when the threshold is measured
NEAR = 1.5  # factor; the next wider network is 1.47 times as large
FAR = 3.0  # factor; the test loss of networks still farther away is below the peak


@dataclass(frozen=True)
class Summary:
    """One arm: parameters `[m]`, values `[m, seeds]`, and what the rule looks at.

    Attributes:
        left_out: what the claim names and the design lacks.
        measured_threshold: of the treatment, also in the controls: the sweep that they share is
            to reach across it. peak: within `NEAR`. around: within `FAR`. rise: the largest.
    """

    arm: str
    n_equations: int
    n_params: np.ndarray
    test_loss: np.ndarray
    test_error: np.ndarray
    train_error: np.ndarray
    measured_threshold: Interval
    peak: PeakTest
    around: PeakTest
    rise: Interval
    second_over_first: Interval
    left_out: tuple[str, ...]

    @property
    def fitted_at(self) -> str:
        """The measured threshold in words."""
        at = self.measured_threshold.estimate
        inside = self.n_params[0] <= at <= self.n_params[-1]
        return f"{at:,.0f} parameters" if inside else "no width of the sweep in every seed"


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange each arm by number of parameters and seed."""
    rates = records.levels("label_noise_rate")
    noisy, clean = records.where(label_noise_rate=rates[-1]), records.where(label_noise_rate=0.0)
    arms = {arm: (noisy, prefix) for arm, prefix in ((TREATMENT, ""), (BEST_EPOCH, "best_"))}
    if len(rates) > 1 and len(clean):
        arms[CLEAN_LABELS] = (clean, "")
    threshold = _threshold(noisy)
    return {arm: _summarise_arm(arm, *found, threshold) for arm, found in arms.items()}


def _threshold(records: Records) -> Interval:
    """Return the number of parameters at which training error falls to `FITTED`."""
    h, train_error = records.matrix("train_error", by="width")
    d, _, k = sizes(records[0].condition)
    logs = np.log([mlp_n_params(d, int(w), k) for w in h])
    return exp_interval(crossing_interval(logs, train_error, FITTED))


def _summarise_arm(arm: str, records: Records, prefix: str, threshold: Interval) -> Summary:
    h, test_loss = records.matrix(f"{prefix}test_loss", by="width")
    c = records[0].condition
    d, _, k = sizes(c)
    n_params = np.array([mlp_n_params(d, int(w), k) for w in h])
    n_equations = c.n_train * k
    # One test image more in a wrong class changes a loss by about so much.
    step = 1 / entry_of(c.dataset).n_test
    below = n_params < n_equations
    return Summary(
        arm=arm,
        n_equations=n_equations,
        n_params=n_params,
        test_loss=test_loss,
        test_error=records.matrix(f"{prefix}test_error", by="width")[1],
        train_error=records.matrix("train_error", by="width")[1],
        measured_threshold=threshold,
        peak=peak_test(n_params, test_loss, at=n_equations, within=NEAR, step=step),
        around=peak_test(n_params, test_loss, at=n_equations, within=FAR, step=step),
        rise=largest_rise(test_loss, step),
        second_over_first=over_each(test_loss[-1], test_loss[below], step),
        left_out=() if arm == CLEAN_LABELS else wrong_labels(c.label_noise_rate, c.n_train),
    )
