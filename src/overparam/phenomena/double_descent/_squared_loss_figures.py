"""Figures of losses and errors over the number of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from overparam.lab.figure import Axis, Chart, Rule
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.verdict import told
from overparam.phenomena.double_descent._figures import TEST_ERROR, TRAIN_ERROR, chart_of_arms
from overparam.phenomena.double_descent._squared_loss_summary import (
    BEST_EPOCH,
    CLEAN_LABELS,
    FITTED,
    Summary,
)

LABELS = {TREATMENT: "last epoch"}


def charts_over_parameters(
    summaries: Mapping[str, Summary], *, is_peak: bool, is_measured: bool
) -> list[Chart]:
    """Return test loss, test error and training error, a line for each arm.

    Args:
        is_peak: whether the peak is shown. is_measured: whether the threshold is, within the sweep.
    """
    found = next(iter(summaries.values()))
    n_equations, peak = f"{found.n_equations:,}", told(found.around.peak_level, ",.0f")
    x, label = Axis("Parameters N", scale="log"), f"n_train x n_classes = {n_equations}"
    rules = [Rule(found.n_equations, label)]
    chart = partial(chart_of_arms, labels=LABELS, dashed=[CLEAN_LABELS], rules=rules)
    return [
        chart(
            "test_loss",
            f"Test loss peaks at {peak} parameters, near n_train x n_classes = {n_equations}"
            if is_peak
            else f"Test loss over parameters, around n_train x n_classes = {n_equations}",
            "Follow the line of the last epoch from the left: by the claim the test loss rises to "
            "a peak near the dotted threshold, where there are as many parameters as numbers to "
            "fit, and falls again. Stopped at its best epoch, or trained on clean labels, the "
            "same network is to have no peak. Test loss of the widest network over the best "
            f"narrow one: {found.second_over_first}.",
            (x, Axis("Test loss", "squared error summed over classes", "log")),
            {arm: (s.n_params, s.test_loss) for arm, s in summaries.items()},
            main="test",
            how="geometric",
            bounds=(0, np.inf),
        ),
        chart(
            "test_error",
            "The test error of the same networks",
            "The share of test images put in a wrong class. Their labels are clean.",
            (x, TEST_ERROR),
            {arm: (s.n_params, s.test_error) for arm, s in summaries.items()},
            main="test",
        ),
        chart(
            "train_error",
            f"Training error falls to {FITTED:.0%} at {found.fitted_at}"
            if is_measured
            else "Training error over parameters",
            "Networks that are wide enough reproduce every training label, the wrong ones "
            "included.",
            (x, TRAIN_ERROR),
            {a: (s.n_params, s.train_error) for a, s in summaries.items() if a != BEST_EPOCH},
            main="train",
        ),
    ]
