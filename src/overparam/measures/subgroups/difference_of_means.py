"""The mean loss of some rows against that of the others: difference, interval, p-value."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr
from scipy.stats import hypergeom

from overparam.measures.clustering import Spread
from overparam.measures.jeffreys import difference_interval, jeffreys_accuracies
from overparam.measures.row_groups import mean_spread


def difference_of_means(
    losses: np.ndarray, inside: np.ndarray, group: np.ndarray | None, confidence: float
) -> tuple[float, float, float, float, float, float]:
    """Return mean inside, outside, their difference with its interval, and a one-sided p-value."""
    one, other = losses[inside], losses[~inside]
    means = float(one.mean()), float(other.mean())
    gap = means[0] - means[1]
    if group is None and np.isin(losses, (0.0, 1.0)).all():
        hits, sizes = (np.array([int(f(p)) for p in (one, other)]) for f in (np.sum, len))
        rates = [jeffreys_accuracies(hits[[i]], sizes[[i]], confidence) for i in (0, 1)]
        low, high = (float(end[0]) for end in difference_interval(*rates))
        chance = hypergeom.sf(hits[0] - 1, len(losses), hits.sum(), sizes[0])
        return *means, gap, low, high, float(chance)
    number = np.arange(len(losses)) if group is None else group
    spread = _spread(losses, inside, number)
    if spread.variance == 0:
        return *means, gap, gap, gap, float(gap <= 0)
    half = spread.half_width(confidence)
    p_value = stdtr(spread.freedom, -gap / np.sqrt(spread.variance))
    return *means, gap, gap - half, gap + half, float(p_value)


def _spread(losses: np.ndarray, inside: np.ndarray, group: np.ndarray) -> Spread:
    """Return the squared error of the difference of two means, groups drawn as wholes.

    The larger of two: from the spread on each side by itself (Welch), and from that of all rows
    around one mean. Few rows of a skewed loss show too small a spread.
    """
    n_in, n = int(inside.sum()), len(losses)
    weight = np.where(inside, 1 / n_in, -1 / (n - n_in))
    each = np.where(inside, losses[inside].mean(), losses[~inside].mean())
    n_groups = len(np.unique(group))
    apart, alike = (
        float((np.bincount(group, weights=weight * (losses - centre)) ** 2).sum())
        * n_groups
        / (n_groups - 1)
        for centre in (each, losses.mean())
    )
    sides = [mean_spread(losses[side], group[side]) for side in (inside, ~inside)]
    doubt = sum(one.variance**2 / one.freedom for one in sides)
    freedom = sum(one.variance for one in sides) ** 2 / doubt if doubt > 0 else n_groups - 1
    return Spread(max(apart, alike, *(one.variance for one in sides)), max(freedom, 1.0))
