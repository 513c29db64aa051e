"""Whether models fit the rows that they were trained on, and how sure that is of few models."""

from __future__ import annotations

import numpy as np

from overparam.audits.subset_models import SubsetModels
from overparam.measures.jeffreys import jeffreys_accuracies

FITTED = 0.001  # of the rows wrong, or of the targets' variance left, that still counts as fitted


def fits(models: SubsetModels) -> np.ndarray:
    """Return whether each model fits its rows, bool `[K]`."""
    return np.nanmean(models.seen_loss, axis=1) <= FITTED


def share_that_fits(fitted: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """Return the share of models that fit, with its interval, both after Jeffreys' prior."""
    k, n = int(fitted.sum()), len(fitted)
    found = jeffreys_accuracies(np.array([k]), np.array([n]), confidence)
    return (k + 0.5) / (n + 1), float(found.low[0]), float(found.high[0])
