"""`SubsetModels`: what models on random subsets lose on every row, of classes and of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from overparam.audits.subject import Subject


@dataclass(frozen=True, eq=False)
class SubsetModels:
    """K models, each trained on a random subset of the n training rows.

    Losses are 1 where a class is wrong and 0 where it is right; of numbers the squared error as a
    share of the targets' variance, so that 0.01 of a loss is one point for both.

    Attributes:
        subject: what is audited. ensemble: the models, an `Ensemble` or a `TargetEnsemble`.
    """

    subject: Subject
    ensemble: Any

    @property
    def n_models(self) -> int:
        """Models that ended well."""
        return self.ensemble.n_models

    @cached_property
    def in_subset(self) -> np.ndarray:
        """Which rows each was trained on, bool `[K, n]`."""
        return np.asarray(self.ensemble.in_subset)

    @property
    def n_trained(self) -> np.ndarray:
        """Rows that each was trained on, `[K]`."""
        return self.in_subset.sum(1)

    @cached_property
    def loss(self) -> np.ndarray:
        """Loss of each model on each training row, `[K, n]`, seen or not."""
        if self.has_classes:
            return 1.0 - np.asarray(self.ensemble.columns.answers, np.float32)
        return self._squared(self.ensemble.predictions, self.ensemble.targets)

    @cached_property
    def test_loss(self) -> np.ndarray | None:
        """Loss of each model on each test row, `[K, m]`; None without a test set."""
        if self.has_classes:
            if not self.ensemble.members.n_test:
                return None
            return 1.0 - np.asarray(self.ensemble.columns["test_correct"], np.float32)
        if self.ensemble.test_targets is None:
            return None
        return self._squared(self.ensemble.test_predictions, self.ensemble.test_targets)

    @property
    def unseen_loss(self) -> np.ndarray:
        """Loss on rows that a model did not see, `[K, n]`; NaN on those that it saw."""
        return np.where(self.in_subset, np.nan, self.loss)

    @property
    def seen_loss(self) -> np.ndarray:
        """Loss on rows that a model saw, `[K, n]`; NaN on others."""
        return np.where(self.in_subset, self.loss, np.nan)

    @property
    def fresh_loss(self) -> np.ndarray:
        """Loss on all rows that a model did not see, training and test rows, `[K, n + m]`."""
        unseen, tested = self.unseen_loss, self.test_loss
        return unseen if tested is None else np.concatenate([unseen, tested], axis=1)

    @property
    def has_classes(self) -> bool:
        """Whether they tell classes; else they predict numbers."""
        return self.subject.has_classes

    def first(self, n_models: int) -> np.ndarray:
        """Return `fresh_loss` of the first models alone."""
        return self.fresh_loss[:n_models]

    @property
    def unit(self) -> float:
        """Of numbers: the deviation of the training targets."""
        return float(np.std(self.subject.train.labels)) or 1.0

    def _squared(self, predictions: Any, targets: Any) -> np.ndarray:
        return ((np.asarray(predictions, float) - np.asarray(targets, float)) / self.unit) ** 2


def on_equal_subsets(models: SubsetModels, others: list[SubsetModels]) -> np.ndarray:
    """Return minus the losses on rows not seen, `[R, K, n + m]`, the first those of `models`.

    Of the first K models of each, as many as all have, which were trained on equal subsets where
    all ended well: that makes comparisons narrower and is not needed for them.
    """
    n = min(m.n_models for m in (models, *others))
    return -np.stack([m.first(n) for m in (models, *others)])
