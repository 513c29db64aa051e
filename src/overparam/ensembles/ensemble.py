"""`Ensemble`: models trained on random subsets, and what follows from what they say of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from overparam.ensembles.columns import has_spread
from overparam.ensembles.exposure import Exposure, exposure_of
from overparam.ensembles.findings import findings_of
from overparam.ensembles.kept_models import correct_of, probabilities_of
from overparam.ensembles.members import ONE_RUN
from overparam.ensembles.of_members import EnsembleOfMembers
from overparam.ensembles.row_table import row_table
from overparam.ensembles.telling import lines_of
from overparam.measures.held_out_accuracy import CScores, LearningCurve, c_scores, learning_curve
from overparam.measures.influence import InfluencePairs, influence_scores
from overparam.measures.label_errors import (
    LabelErrors,
    RateEstimate,
    estimate_noise_rate,
    rank_label_errors,
)
from overparam.measures.memorization import MemorizationScores, memorization_scores
from overparam.measures.out_of_sample import OutOfSample, out_of_sample_probabilities

_OUT_OF_SAMPLE = ("probabilities", "standard_error", "n_out", "n_missing")


class Ensemble(EnsembleOfMembers):
    """K classifiers, each trained on a random subset of n rows. Made by `subset_ensemble`,
    or of predictions by `ensemble_of_predictions`.
    """

    @property
    def labels(self) -> np.ndarray:
        """Labels of the rows, int64 `[n]`, positions in `classes`."""
        return self.members.labels

    @property
    def classes(self) -> list[Any]:
        """Labels as they were given."""
        return self.members.classes

    def memorization_scores(
        self,
        *,
        prior: Any = ONE_RUN,
        ratio: float | None = None,
        counted: bool = False,
        confidence: float = 0.95,
    ) -> MemorizationScores:
        """Return how much the label of each row is memorized, with intervals.

        By the margins' tail (`overparam.measures.memorization_scores`). Right and wrong answers are
        counted where margins do not vary: of models that only name a class, of a tree that is sure
        of every row it saw, or where no row is twice on a side; and where an estimator's own
        predictions are not those of its largest output. `method` says which it was.

        Args:
            prior: `[n]`, see there; or None. By default, the losses of the run on all rows, which
                an ensemble of networks has.
            ratio: of the members that count, by default the largest.
            counted: count in any case. confidence: nominal coverage of each row's interval.
        """
        columns = self.members.at_ratio(ratio)
        masks = columns.in_subset
        votes = self.members.votes or columns.contradicted
        if not counted and not votes and has_spread(masks, columns["margin"]):
            margins = columns["margin"]
            prior = self.members.chosen_prior(prior, masks)
            return memorization_scores(masks, margins=margins, prior=prior, confidence=confidence)
        return memorization_scores(masks, columns.answers, confidence=confidence)

    def out_of_sample_probabilities(self, ratio: float | None = None) -> OutOfSample:
        """Return the mean probabilities `[n, classes]` of the models that did not see a row."""
        columns = self.members.at_ratio(ratio)
        found = [
            out_of_sample_probabilities(columns.in_subset[:, rows], block)
            for rows, block in columns.outside()
        ]
        parts = [np.concatenate([getattr(f, name) for f in found]) for name in _OUT_OF_SAMPLE]
        return OutOfSample(*parts)

    def label_errors(self, ratio: float | None = None) -> LabelErrors:
        """Return rows ordered by how improbable their label is out of sample."""
        return rank_label_errors(self.out_of_sample_probabilities(ratio).probabilities, self.labels)

    def noise_rate(self, ratio: float | None = None, *, confidence: float = 0.95) -> RateEstimate:
        """Return the share of labels that are wrong, with an interval."""
        said = self.out_of_sample_probabilities(ratio).probabilities
        return estimate_noise_rate(said, self.labels, confidence=confidence)

    def influence_scores(
        self, X_test: Any = None, y_test: Any = None, *, ratio: float | None = None, **options: Any
    ) -> InfluencePairs:
        """Return the strongest pairs of a training row and a test row; see `measures`.

        Args:
            X_test, y_test: by default the rows given as ``evaluate``, of which every member's
                answer is kept. Others are asked of the members' models (``keep="models"``).
            options: of `overparam.measures.influence_scores`; by default `memorization` are the
                scores of this ensemble.

        Raises:
            UsageError: no rows were evaluated, or the models were not kept.
        """
        columns = self.members.at_ratio(ratio)
        if X_test is None:
            self.members.check_evaluated()
            correct = columns["test_correct"]
        else:
            correct = correct_of(self, columns, X_test, y_test)
        if "memorization" not in options:
            options["memorization"] = self.memorization_scores(ratio=ratio).estimate
        return influence_scores(columns.in_subset, correct, **options)

    def membership(
        self,
        attack: str = "lira",
        *,
        fprs: Sequence[float] = (0.01, 0.001),
        ratio: float | None = None,
        confidence: float = 0.95,
    ) -> Exposure:
        """Return how well an attack tells members from others, the models being targets in turn.

        Args:
            attack: ``lira``, ``ratio``, ``rmia`` or ``loss``. fprs: at which the TPR is asked for.
        """
        columns = self.members.at_ratio(ratio)
        return exposure_of(columns, attack, tuple(fprs), confidence, margins=not self.members.votes)

    def c_scores(self) -> CScores:
        """Return the consistency of each row: its accuracy out of sample, over all ratios."""
        return c_scores(self.in_subset, self.columns.answers, self.members.ratio_of_each)

    def learning_curve(self, *, confidence: float = 0.95) -> LearningCurve:
        """Return how accuracy out of sample grows with the share of rows, a point a ratio."""
        correct = self.columns.answers
        return learning_curve(
            self.in_subset, correct, self.members.ratio_of_each, confidence=confidence
        )

    def prediction(self, X: Any = None) -> np.ndarray:
        """Return the mean probabilities `[m, classes]` of all members.

        Args:
            X: inputs, asked of the kept models; by default the rows given as ``evaluate``.

        Raises:
            UsageError: as in `influence_scores`.
        """
        if X is None:
            self.members.check_evaluated()
            return self.columns.test_probabilities()
        total = sum(probabilities_of(self, self.columns, X))
        return np.asarray(total) / self.n_models

    def _lines(self) -> list[str]:
        return lines_of(self)

    def _row_table(self) -> dict[str, np.ndarray]:
        return row_table(self)

    def _found(self) -> list[str]:
        return findings_of(self)
