"""Whether models fit the rows that they were trained on, and how sure that is of few models."""

from __future__ import annotations

import numpy as np
from scipy.special import betainc
from scipy.stats import t as student

from overparam.audits.evidence import Evidence
from overparam.audits.finding import Measured
from overparam.audits.subset_models import SubsetModels
from overparam.measures.jeffreys import jeffreys_accuracies

FITTED = 0.001  # of the rows wrong, or of the targets' variance left, that still counts as fitted


def fits(evidence: Evidence, models: SubsetModels) -> np.ndarray:
    """Return whether each model fits all of its rows that anything could fit, bool `[K]`."""
    return np.nanmean(models.seen_loss, axis=1) <= FITTED + least_loss(evidence, models)


def least_loss(evidence: Evidence, models: SubsetModels) -> np.ndarray:
    """Return the mean loss that no function of the inputs avoids on each model's rows, `[K]`.

    Rows of equal inputs with different labels: at best the commonest label of each is right.
    """
    least = np.zeros(models.n_models)
    if not models.has_classes or evidence.subject.has_no_inputs:
        return least
    group, labels = np.asarray(evidence.copies.group), np.asarray(models.ensemble.labels)
    rows = np.flatnonzero(np.bincount(group)[group] > 1)
    for k, seen in enumerate(models.in_subset[:, rows]):
        least[k] = unavoidable(group[rows[seen]], labels[rows[seen]]) / models.n_trained[k]
    return least


def unavoidable(group: np.ndarray, labels: np.ndarray) -> int:
    """Return how many rows have another label than the commonest of their group.

    >>> unavoidable(np.array([0, 0, 0, 7]), np.array([1, 1, 2, 1]))
    1
    """
    pairs, counts = np.unique(np.stack([group, labels]), axis=1, return_counts=True)
    if not len(counts):
        return 0
    _, first = np.unique(pairs[0], return_index=True)
    return int(counts.sum() - np.maximum.reduceat(counts, first).sum())


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
