"""Whether models fit the rows that they were trained on, and how sure that is of few models."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc
from scipy.stats import t as student

from overparam.audits.finding import Measured
from overparam.audits.subset_models import SubsetModels
from overparam.measures.jeffreys import jeffreys_accuracies

FITTED = 0.001  # of the rows wrong, or of the targets' variance left, that still counts as fitted


def fits(models: SubsetModels) -> np.ndarray:
    """Return whether each model fits its rows, bool `[K]`."""
    return np.nanmean(models.seen_loss, axis=1) <= FITTED


def share_that_fits(fitted: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """Return the share of models that fit, with Jeffreys' interval."""
    k, n = int(fitted.sum()), len(fitted)
    found = jeffreys_accuracies(np.array([k]), np.array([n]), confidence)
    return k / n, float(found.low[0]), float(found.high[0])


def chance_that_it_fits(fitted: np.ndarray) -> float:
    """Return the probability that the recipe fits more often than not, after Jeffreys' prior.

    >>> [round(chance_that_it_fits(np.array(f)), 2) for f in ([1, 1], [1, 0], [1] * 10)]
    [0.92, 0.5, 1.0]
    """
    k, n = int(fitted.sum()), len(fitted)
    return 1 - float(betainc(k + 0.5, n - k + 0.5, 0.5))


def share_fitted(models: SubsetModels, confidence: float) -> Measured:
    """Return how much of the rows that they saw models fit: of labels, or of the variance."""
    share = 1 - np.nanmean(models.seen_loss, axis=1)
    mean = float(share.mean())
    if models.has_classes:  # as if all had seen the same rows, once
        n = int(models.n_trained.min())
        found = jeffreys_accuracies(np.array([round(mean * n)]), np.array([n]), confidence)
        return Measured(mean, float(found.low[0]), float(found.high[0]), "of the labels")
    half = float("inf")
    if len(share) > 1:
        spread = float(share.std(ddof=1)) / len(share) ** 0.5
        half = float(student.ppf((1 + confidence) / 2, len(share) - 1)) * spread
    return Measured(mean, mean - half, min(mean + half, 1.0), "of the variance")


def lost_in_words(models: SubsetModels) -> str:
    """Return what is lost on the rows that models saw."""
    lost = float(np.nanmean(models.seen_loss))
    return f"{lost:.1%} {'wrong' if models.has_classes else 'of the variance left'}"
