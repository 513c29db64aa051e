"""Whether another recipe surely does better on some of the rows: what is lost there for no need."""

from __future__ import annotations

import numpy as np

from overparam.audits.comparison import fresh_groups, in_points
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Measured
from overparam.audits.subset_models import on_equal_subsets
from overparam.measures.clustering import Spread, clustered_spread


def better_elsewhere(
    evidence: Evidence, inside: np.ndarray, n_asked: int = 1
) -> tuple[str, Measured] | None:
    """Return the recipe that surely wins most on some training rows, and what that is in points.

    Rows may be hard for every model, and then nothing is lost on them. Variants and references are
    asked, on rows that no model of theirs saw, paired with the audited one. Only those that are no
    worse on all rows count: what one wins here by losing more there is a trade.

    Args:
        inside: bool `[n]`, the training rows that are meant.
        n_asked: sets of rows that are asked about; intervals hold for all of them, and all recipes,
            at once.

    Returns:
        Its name, and points of the error of all rows that it wins on these; None where nobody
        surely wins anything, or nobody else was measured.
    """
    if not evidence.has("models") or not inside.any():
        return None
    names = [name for name in ("variants", "references") if evidence.has(name)]
    others = [pair for name in names for pair in getattr(evidence, name)]
    level = 1 - (1 - evidence.confidence) / max(len(others) * n_asked, 1)
    groups, n = fresh_groups(evidence), len(inside)
    group = np.arange(n) if groups is None else np.unique(groups[:n], return_inverse=True)[1]
    found = []
    for variant, models in others:
        scores = on_equal_subsets(evidence.models, [models])[:, :, :n]
        gains = scores[1] - scores[0]  # above 0: the other is better
        if np.isfinite(gains).sum() > 1 and np.nanmean(gains) >= 0:
            known = np.isfinite(gains)
            here = np.where(known & inside, gains, 0.0)
            mean = float(here.sum() / known.sum())
            half = _spread(here, known, mean, group).half_width(level)
            found.append((variant.name, in_points(mean, mean - half, mean + half)))
    sure = [(name, gain) for name, gain in found if gain.is_above_zero]
    return max(sure, key=lambda pair: pair[1].low) if sure else None


def _spread(values: np.ndarray, known: np.ndarray, mean: float, group: np.ndarray) -> Spread:
    parts = np.where(known, values - mean, 0.0) / known.sum()
    of_groups = np.bincount(group, weights=parts.sum(0))
    return clustered_spread(of_groups, parts.sum(1), float((parts**2).sum()))
