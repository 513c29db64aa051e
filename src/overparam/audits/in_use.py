"""`InUse`: the model in use, asked about the rows, beside fresh fits of the recipe that made it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from overparam.audits.finding import POINTS, Measured
from overparam.audits.one_model import OneModel, Said, said_of
from overparam.audits.subject import Subject
from overparam.measures.row_groups import mean_spread


@dataclass(frozen=True, eq=False)
class InUse:
    """The model in use.

    Attributes:
        fitted: the model. train, test: what it says of the training rows, which it may or may not
            have been trained on, and of test rows (None where there are none).
    """

    fitted: Any
    train: Said
    test: Said | None

    @cached_property
    def train_loss(self) -> float:
        """Mean loss on the training rows."""
        return float(self.train.loss.mean())

    @cached_property
    def test_loss(self) -> float:
        """Mean loss on the test rows; NaN without any."""
        return float("nan") if self.test is None else float(self.test.loss.mean())


def ask_in_use(subject: Subject) -> InUse:
    """Return what a subject's model in use says of training and test rows.

    Raises:
        OverparamError: it cannot be asked.
    """

    def said(part: Any) -> Said:
        return said_of(subject.fitted, part.take(), part.labels, subject)

    return InUse(
        subject.fitted, said(subject.train), None if subject.test is None else said(subject.test)
    )


def gap_to_fresh(
    in_use: InUse, fresh: OneModel, confidence: float, group: np.ndarray | None = None
) -> Measured | None:
    """Return how much more the model in use errs than a fresh fit, in points, paired by test row.

    None without test rows, or where one of them says nothing. A second fresh fit errs on other
    rows too: this is of the one that was made.

    Args:
        group: `[m]`, test rows that are copies of each other, which count as one; or None.
    """
    if in_use.test is None or fresh.test is None:
        return None
    apart = in_use.test.loss - fresh.test.loss
    if len(apart) < 2 or not np.isfinite(apart).all():
        return None
    mean = float(apart.mean())
    groups = np.arange(len(apart)) if group is None else group
    half = mean_spread(apart, groups).half_width(confidence)
    return Measured(100 * mean, 100 * (mean - half), 100 * (mean + half), POINTS)
