"""`TargetEnsemble`: regressions trained on random subsets, and what follows from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.ensembles.columns import Columns
from overparam.ensembles.kept_models import predictions_of
from overparam.ensembles.of_members import EnsembleOfMembers
from overparam.ensembles.target_findings import target_findings_of
from overparam.ensembles.target_telling import target_lines_of
from overparam.measures.memorized_targets import TargetMemorization, target_memorization


class TargetEnsemble(EnsembleOfMembers):
    """K regressions, each trained on a random subset of n rows. Made by `subset_ensemble`,
    or of predictions by `ensemble_of_predictions`.

    Scores are of the members at the largest ratio, unless a method is given another; arrays
    `[K, n]` are of all members.
    """

    @property
    def targets(self) -> np.ndarray:
        """What is to be predicted of the rows, float64 `[n]`."""
        return self.members.labels

    @property
    def test_targets(self) -> np.ndarray | None:
        """The same of the rows given as ``evaluate``, `[m]`; None where none were."""
        return self.members.test_labels

    @property
    def predictions(self) -> np.ndarray:
        """What each member predicts of each row, float64 `[K, n]`."""
        return self.columns["prediction"]

    @property
    def test_predictions(self) -> np.ndarray:
        """What each member predicts of the rows given as ``evaluate``, float64 `[K, m]`.

        Raises:
            UsageError: none were given.
        """
        self.members.check_evaluated()
        return self.columns["test_prediction"]

    def at_ratio(self, ratio: float | None = None) -> Columns:
        """Return what the members of one ratio say, by default of the largest.

        ``at_ratio(.5)["prediction"]`` is `[K, n]`, and ``at_ratio(.5).in_subset`` its masks.

        Raises:
            UsageError: no member has this ratio.
        """
        return self.members.at_ratio(ratio)

    def memorization_scores(
        self, *, ratio: float | None = None, confidence: float = 0.95
    ) -> TargetMemorization:
        """Return how much nearer models are to rows that they saw, with intervals.

        Args:
            ratio: of the members that count, by default the largest.
            confidence: nominal coverage of each row's interval.
        """
        columns = self.at_ratio(ratio)
        said = columns["prediction"]
        return target_memorization(columns.in_subset, said, self.targets, confidence=confidence)

    def prediction(self, X: Any = None) -> np.ndarray:
        """Return the mean prediction `[m]` of all members.

        Args:
            X: inputs, asked of the kept models; by default the rows given as ``evaluate``.

        Raises:
            UsageError: no rows were evaluated, or the models were not kept.
        """
        if X is None:
            return self.test_predictions.mean(0)
        return np.mean(list(predictions_of(self, self.columns, X)), axis=0)

    def _lines(self) -> list[str]:
        return target_lines_of(self)

    def _row_table(self) -> dict[str, np.ndarray]:
        """Return name to column `[n]`.

        Columns: ``target``; ``prediction`` (mean out of sample) with ``_standard_error``;
        ``residual`` (target - prediction); ``error_in``, ``error_out`` (mean squares);
        ``memorization`` with ``_low``, ``_high`` and ``_standard_error``; ``n_in``, ``n_out``.
        """
        found = self.memorization_scores()
        return {
            "target": self.targets,
            "prediction": found.prediction,
            "prediction_standard_error": found.prediction_error,
            "residual": self.targets - found.prediction,
            "error_in": found.error_in,
            "error_out": found.error_out,
            "memorization": found.estimate,
            "memorization_low": found.low,
            "memorization_high": found.high,
            "memorization_standard_error": found.standard_error,
            "n_in": found.n_in,
            "n_out": found.n_out,
        }

    def _found(self) -> list[str]:
        return target_findings_of(self)
