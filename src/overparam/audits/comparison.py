"""Recipes held against the one that is audited, on rows that no model of theirs saw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overparam.audits.evidence import Evidence
from overparam.audits.finding import POINTS, Measured
from overparam.audits.subset_models import SubsetModels, on_equal_subsets
from overparam.audits.variants import Variant
from overparam.measures.test_error.interpolation_harm import (
    InterpolationHarm,
    estimate_interpolation_harm,
)

_ROUNDING = 1e-12  # of a loss: differences of sums in another order
Fitted = Sequence[tuple[Variant, SubsetModels]]


def compare(
    evidence: Evidence, others: Fitted, *, without: np.ndarray | None = None
) -> InterpolationHarm:
    """Return what others gain or lose against the recipe that is audited, all bounds joint.

    Args:
        without: training rows that do not count.
    """
    scores = on_equal_subsets(evidence.models, [models for _, models in others])
    known = np.isfinite(scores).any((0, 1))  # rows that some model did not see
    if without is not None:
        known[without] = False
    groups = fresh_groups(evidence)
    return estimate_interpolation_harm(
        scores[:, :, known],
        groups=None if groups is None else groups[known],
        confidence=evidence.confidence,
    )


def fresh_groups(evidence: Evidence) -> np.ndarray | None:
    """Return what belongs together among training and test rows, `[n + m]`; None for nothing."""
    n, of_train = evidence.subject.n_rows, evidence.groups
    tested = evidence.models.test_loss
    if tested is None:
        return of_train
    m = tested.shape[1]
    if evidence.subject.has_no_inputs or evidence.copies.group_of_other is None:
        of_test = n + np.arange(m)
    else:
        of_test = np.asarray(evidence.copies.group_of_other)
    if of_train is None and len(np.unique(of_test)) == m and (of_test >= n).all():
        return None
    first = np.arange(n) if of_train is None else of_train
    # A test row that is a copy of a training row belongs to whatever that row belongs to.
    return np.concatenate(
        [first, np.where(of_test < n, first[np.minimum(of_test, n - 1)], of_test)]
    )


def gain_of(found: InterpolationHarm, which: int) -> Measured:
    """Return what one of the others gains, in points, with its joint interval."""
    return in_points(found.gain[which], found.low[which], found.high[which])


def best_of(found: InterpolationHarm, others: Fitted) -> tuple[Variant, Measured]:
    """Return the best of the others, and what it gains, in points.

    Where some are surely better, the one that surely gains most. Else what looks best, with bounds
    of the largest gain that any of them truly has.
    """
    if found.best_low > 0:
        which = int(found.low.argmax())
        return others[which][0], gain_of(found, which)
    which = found.best - 1  # the recipe that is audited is the first
    low, high = found.best_low, found.best_high
    return others[which][0], in_points(found.gain[which], low, high)


def lost(gain: Measured) -> Measured:
    """Return a gain as the loss that it is where it is negative."""
    return Measured(-gain.value, -gain.high, -gain.low, gain.unit)


def in_points(value: float, low: float, high: float) -> Measured:
    """Return a difference of losses in points: hundredths."""
    value, low, high = (0.0 if abs(v) < _ROUNDING else float(v) for v in (value, low, high))
    return Measured(100 * value, 100 * low, 100 * high, POINTS)
