"""Scores of predictions of rows that were held out, with intervals; and differences of two."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri, stdtrit

from overparam.measures.jeffreys import jeffreys_accuracies
from overparam.measures.tables.screened_target import Target

# Models of other folds share most rows, so that outcomes of rows are dependent: over worlds of 40
# to 1,000 rows, the variance of scores is 1.1 to 1.7 times that of independent rows. No estimate of
# it is unbiased (Bengio, Grandvalet 2004); Nadeau and Bengio's 1 + 5 / 4 would be too wide here.
CROSS_FITTED = 1.5**0.5


@dataclass(frozen=True)
class ScoreEstimate:
    """A score, or a difference of two, with its interval.

    Attributes:
        score: 1 is perfect. low, high: bounds of the interval. n: rows. confidence: nominal.
    """

    score: float
    low: float
    high: float
    n: int
    confidence: float

    def widened(self, factor: float, lowest: float = -np.inf) -> ScoreEstimate:
        """Return the same with each arm of the interval so many times as long, within the range."""
        low = max(self.score - factor * (self.score - self.low), lowest)
        high = min(self.score + factor * (self.high - self.score), 1.0)
        return replace(self, low=float(low), high=float(high))


@dataclass(frozen=True, eq=False)
class Scale:
    """What predictions of a target are measured by.

    Attributes:
        target: checked. balanced: whether classes count alike, whatever their size.
    """

    target: Target
    balanced: bool

    @property
    def name(self) -> str:
        """``balanced accuracy``, ``accuracy`` or ``R² of ranks``."""
        if not self.target.n_classes:
            return "R² of ranks"
        return "balanced accuracy" if self.balanced else "accuracy"

    @property
    def chance(self) -> float:
        """Score of the trivial baseline: one over the classes, the largest class' share, or 0."""
        k = self.target.n_classes
        if not k or self.balanced:
            return 1 / k if k else 0.0
        return float(np.bincount(self.target.codes).max() / len(self.target.codes))

    @property
    def lowest(self) -> float:
        """The least score there is: 0 of classes, none of numbers."""
        return 0.0 if self.target.n_classes else -np.inf

    def decided(self, said: np.ndarray) -> np.ndarray:
        """Return predicted classes `[n]` of probabilities `[n, K]`; of numbers, the ranks as given.

        The class that is more probable than its share, where classes count alike.
        """
        if not self.target.n_classes:
            return said
        counts = np.bincount(self.target.codes, minlength=self.target.n_classes)
        return (said / counts if self.balanced else said).argmax(1)

    def outcomes(self, predicted: np.ndarray) -> np.ndarray:
        """Return what each row adds: 1 where the class is right, or the squared error of a rank."""
        if self.target.n_classes:
            return (predicted == self.target.codes).astype(np.float64)
        return (predicted - self.target.ranks) ** 2

    def estimate(self, outcomes: np.ndarray, confidence: float) -> ScoreEstimate:
        """Return the score of outcomes `[n]`.

        Classes: the mean over classes (or over all rows) of Jeffreys' intervals, joined as Zou and
        Donner do. Numbers: 1 - sum of outcomes / sum of (rank - 1/2)², with the t interval of the
        ratio by the delta method.
        """
        n = len(outcomes)
        if not self.target.n_classes:
            errors = (self.target.ranks - self.target.ranks.mean()) ** 2
            ratio = outcomes.sum() / errors.sum()
            half = _half_width((outcomes - ratio * errors) / errors.mean(), confidence)
            score = float(1 - ratio)
            return ScoreEstimate(score, score - half, min(score + half, 1.0), n, confidence)
        rows = self._strata()
        hits = np.array([outcomes[some].sum() for some in rows])
        found = jeffreys_accuracies(hits, np.array([len(some) for some in rows]), confidence)
        score = float(found.estimate.mean())
        below = float(np.sqrt(((found.estimate - found.low) ** 2).sum())) / len(rows)
        above = float(np.sqrt(((found.high - found.estimate) ** 2).sum())) / len(rows)
        return ScoreEstimate(score, max(score - below, 0.0), min(score + above, 1.0), n, confidence)

    def difference(
        self, outcomes: np.ndarray, others: np.ndarray, confidence: float
    ) -> ScoreEstimate:
        """Return how much higher the first of two scores of the same rows is.

        Classes: Bonett and Price's interval for paired rates in each class, joined. Numbers: as
        `estimate`.
        """
        apart, n = outcomes - others, len(outcomes)
        if not self.target.n_classes:
            size = float(np.mean((self.target.ranks - self.target.ranks.mean()) ** 2))
            half = _half_width(apart / size, confidence)
            score = float(-apart.mean() / size)
            return ScoreEstimate(score, score - half, score + half, n, confidence)
        rows = self._strata()
        score = float(np.mean([apart[some].mean() for some in rows]))
        middle, variance = 0.0, 0.0
        for some in rows:
            better, worse = (((apart[some] * s) > 0).sum() + 1 for s in (1, -1))
            total = len(some) + 2
            rate = (better - worse) / total
            middle += rate / len(rows)
            variance += ((better + worse) / total - rate**2) / total / len(rows) ** 2
        half = float(ndtri((1 + confidence) / 2) * np.sqrt(variance))
        low, high = max(middle - half, -1.0), min(middle + half, 1.0)
        return ScoreEstimate(score, float(min(low, score)), float(max(high, score)), n, confidence)

    def deviations(self, outcomes: np.ndarray) -> np.ndarray:
        """Return how far each row moves the score of outcomes from their mean, up to a factor."""
        if not self.target.n_classes:
            return outcomes - outcomes.mean()
        found = np.empty(len(outcomes))
        for some in self._strata():
            found[some] = (outcomes[some] - outcomes[some].mean()) / len(some)
        return found

    def _strata(self) -> list[np.ndarray]:
        """Rows whose rates are averaged: of each class that has some, or all of them."""
        codes = self.target.codes
        if not self.balanced:
            return [np.arange(len(codes))]
        return [np.flatnonzero(codes == k) for k in np.unique(codes)]


def _half_width(parts: np.ndarray, confidence: float) -> float:
    n = len(parts)
    return float(stdtrit(n - 1, (1 + confidence) / 2) * parts.std(ddof=1) / np.sqrt(n))
