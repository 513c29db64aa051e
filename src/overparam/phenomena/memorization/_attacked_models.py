"""The models of one seed under attack: scores of rows, and thresholds that other models chose.

A threshold that is chosen where it is measured finds an advantage in noise, and rows that are
called memorized by the models that are attacked have one by definition. So the models are cut in
halves: one chooses threshold and rows, the other is measured, and the two take turns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from overparam.lab.records import Records
from overparam.measures import loss_scores, memorization_scores, roc_curve

FEWEST = 4  # models: halves in which rows are in and out
MEMORIZED = 0.5  # memorization score, from which on a row counts as memorized

RowsOf = Callable[["Attacked"], np.ndarray]  # which rows some models say are to be looked at


@dataclass(frozen=True, eq=False)
class Attacked:
    """Models of one seed and level, K of them, and n rows, each in some models' subsets.

    Attributes:
        scores: of membership, `[K, n]`. correct, in_subset: bool `[K, n]`.
        has_twin: bool `[n]`, rows of which a twin stays in training, where twins are.
    """

    scores: np.ndarray
    correct: np.ndarray
    in_subset: np.ndarray
    has_twin: np.ndarray

    @cached_property
    def halves(self) -> tuple[Attacked, Attacked]:
        """The first and the second half of the models."""
        middle = len(self.scores) // 2
        first, second = (
            Attacked(self.scores[some], self.correct[some], self.in_subset[some], self.has_twin)
            for some in (slice(middle), slice(middle, None))
        )
        return first, second

    @cached_property
    def memorized(self) -> np.ndarray:
        """Bool `[n]`, rows with a counted memorization score of at least `MEMORIZED`."""
        scores = memorization_scores(self.in_subset, self.correct.astype(float))
        return scores.estimate >= MEMORIZED


def attacked(level: Records, seed: int) -> Attacked | None:
    """Return the models of one seed; None where they are few, or what one of them says is lacking.

    It lacks where a model was not measured, and where it has no loss (NaN) of some row.
    """
    records = level.where(lambda r: r.seed == seed)
    if len(records) < FEWEST or len(records.measured) < len(records):
        return None
    outcomes = [r.outcome for r in records]
    if any(np.isnan(o.loss).any() for o in outcomes):
        return None
    return Attacked(
        loss_scores(np.array([o.loss for o in outcomes])),
        np.array([o.correct for o in outcomes], bool),
        np.array([o.in_subset for o in outcomes], bool),
        np.asarray(outcomes[0].has_twin, bool),
    )


def advantage_on(models: Attacked | None, rows_of: RowsOf) -> float:
    """Return TPR - FPR of the loss attack on some rows, which half of the models name.

    NaN where models are not known, or where there are no such rows that are in and out of both
    halves.
    """
    if models is None:
        return float("nan")
    turns = (models.halves, models.halves[::-1])
    return float(np.mean([_measured(choosing, target, rows_of) for choosing, target in turns]))


def _measured(choosing: Attacked, target: Attacked, rows_of: RowsOf) -> float:
    rows = rows_of(choosing)
    members = target.in_subset[:, rows]
    chosen_by = choosing.in_subset[:, rows]
    if not all(m.any() and not m.all() for m in (members, chosen_by)):
        return float("nan")
    curve = roc_curve(choosing.scores[:, rows], chosen_by)
    threshold = curve.thresholds[np.argmax(curve.tpr - curve.fpr)]
    named = target.scores[:, rows] >= threshold
    return float(named[members].mean() - named[~members].mean())


def means_by_seed(records: Records, field: str, seeds: list[int]) -> np.ndarray:
    """Return the mean over the models of each seed; NaN where one is missing."""
    values: dict[int, list[float]] = {seed: [] for seed in seeds}
    for r in records:
        values[r.seed].append(float(r.value(field)))
    return np.array([np.mean(v) if v else np.nan for v in values.values()])


def along_training(along: Records, seeds: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return of each seed the least-squares slope of advantage over gap, and the gap's growth."""
    levels = [along.where(epochs=t) for t in along.levels("epochs")]
    if len(levels) < 2:
        return np.full(len(seeds), np.nan), np.full(len(seeds), np.nan)
    gaps = np.array(
        [
            means_by_seed(at, "test_error", seeds) - means_by_seed(at, "train_error", seeds)
            for at in levels
        ]
    )
    advantages = np.array([means_by_seed(at, "advantage", seeds) for at in levels])
    x = gaps - gaps.mean(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = (x * (advantages - advantages.mean(0))).sum(0) / (x**2).sum(0)
    return slopes, gaps[-1] - gaps[0]
