"""Whether fitting the training set exactly costs anything here, against recipes that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from overparam.checks import check_count, check_range
from overparam.errors import DataError
from overparam.measures.clustering import Spread, clustered_spread
from overparam.measures.subset_arrays import as_array, as_groups, check_squares

_DRAWS = 5_000  # of the largest of several t statistics
_FOLDS = 5
_FEWEST_ROWS = 10


@dataclass(frozen=True)
class InterpolationHarm:
    """What a recipe that fits everything loses, or gains, against others.

    Attributes:
        answer: "harmful": some other recipe is better. "helps": every other one is worse.
            "harmless": no other is better by more than `margin`. "not told": none of these is sure.
        gain, low, high: `[R - 1]`, mean score of each other recipe minus that of the reference,
            with bounds that hold for all of them at once.
        others: `[R - 1]`, their indices. scores: `[R]`, mean score of each recipe.
        best: index of the other recipe that looks best.
        best_gain: the gain of choosing the best of the others, the choice made on other rows and
            other models than the gain is measured on. best_low, best_high: bounds of the largest
            true gain.
        n_rows, n_models: counted. margin: what counts as nothing. confidence: nominal coverage.
    """

    answer: str
    gain: np.ndarray
    low: np.ndarray
    high: np.ndarray
    others: np.ndarray
    scores: np.ndarray
    best: int
    best_gain: float
    best_low: float
    best_high: float
    n_rows: int
    n_models: int
    margin: float
    confidence: float


def estimate_interpolation_harm(
    scores: Any,
    *,
    reference: int = 0,
    groups: Any = None,
    margin: float = 0.01,
    confidence: float = 0.95,
) -> InterpolationHarm:
    """Return whether other recipes do better than one that fits the training set exactly.

    100 % on the training set says nothing about this; only the comparison on rows that no model
    saw does. d_rki = score_rki - score_0ki on the same rows, and, where they are, on the same
    subsets; its mean's variance is clustered by row and by model (`clustered_spread`). For scores
    of 0 and 1 two rows are added to it, one in favour of each recipe (Bonett, Price 2012), so that
    it is never 0. The variance between models counts with the t quantile of K - 1 degrees of
    freedom, that between rows with theirs (Banerjee 1960): how training again differs is known from
    K models alone, and two of them leave most open. Bounds hold for all recipes at once (Dunnett's
    t, its distribution drawn with the correlations found over rows). The best of several is thereby
    not better by being chosen: the lower bound of its gain is the largest of the joint lower
    bounds, and the upper bound the largest of the single upper ones, which no choice can exceed.

    Args:
        scores: `[R, K, n]`, of R recipes trained K times and seen on n rows, larger is better: 1
            where right and 0 where wrong, or minus a loss. NaN where not known, and on rows that
            the model was trained on. Model k of each recipe may share its subset or seed, which
            makes the interval narrower, and need not.
        reference: index of the recipe that fits everything.
        groups: `[n]`, rows that belong together (duplicates, one patient); no missing values.
        margin: a gain that counts as nothing, >= 0, in the unit of the scores.
        confidence: nominal coverage, in (0, 1).

    Returns:
        `InterpolationHarm`, in the unit of the scores (1 point of accuracy is 0.01). One model per
        recipe (K = 1): the answer is about these very models, on new rows.

    Raises:
        DataError: not `[R, K, n]` with two recipes, no common entry of a recipe and the reference,
            fewer than 10 rows or groups with one, infinite scores, groups of other rows or missing.
        UsageError: a reference, margin or confidence out of range.

    Cost: O(R K n). Assumption: the recipes were fixed before these rows were looked at. Sources:
    Dunnett 1955, J. Amer. Statist. Assoc. 50, 1096; Banerjee 1960, Sankhya 22, 357;
    Bonett, Price 2012, J. Educ. Behav. Statist. 37, 479.

    >>> right = np.zeros((2, 1, 100))
    >>> right[0, 0, :90] = right[1, 0, :60] = 1  # the regularized one loses 30 rows, and wins none
    >>> found = estimate_interpolation_harm(right)
    >>> found.answer, round(float(found.gain[0]), 3), round(found.best_gain, 3)
    ('helps', -0.3, -0.3)
    """
    check_range("margin", margin, 0)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    said = as_array("scores", scores, (3,)).astype(np.float64)
    if len(said) < 2:
        raise DataError("one recipe has none to compare with", got=list(said.shape), allowed=">= 2")
    check_squares("scores", said)
    check_count("reference", reference, 0, len(said) - 1)
    of_group = as_groups("groups", groups, said.shape[2])
    others = np.array([r for r in range(len(said)) if r != reference])
    known = ~np.isnan(said[others]) & ~np.isnan(said[reference])
    apart = np.where(known, said[others] - said[reference], 0.0)
    n_rows = min(len(np.unique(of_group[k.any(0)])) for k in known)
    if n_rows < _FEWEST_ROWS:
        raise DataError(
            "too few rows, or groups of them, of which a recipe and the reference are known",
            got=n_rows,
            allowed=f">= {_FEWEST_ROWS}",
            remedy="rows are the last axis; NaN marks rows that a model was trained on",
        )
    is_binary = bool(np.isin(said[~np.isnan(said)], (0.0, 1.0)).all())
    gain = apart.sum((1, 2)) / known.sum((1, 2))
    differences = [
        _difference(a, k, of_group, is_binary) for a, k in zip(apart, known, strict=True)
    ]
    level = _joint_level(differences, confidence)
    joint = np.array([d.half_width(level) for d in differences])
    single = np.array([d.half_width(1 - confidence) for d in differences])
    low, high = gain - joint, gain + joint
    best_low, best_high = float(low.max()), float((gain + single).max())
    if is_binary:
        low, high = np.maximum(low, -1.0), np.minimum(high, 1.0)
        best_low, best_high = max(best_low, -1.0), min(best_high, 1.0)
    return InterpolationHarm(
        _answer(best_low, best_high, margin),
        gain,
        low,
        high,
        others,
        np.array([_mean(s) for s in said]),
        int(others[gain.argmax()]),
        _gain_of_choosing(apart, known, of_group),
        best_low,
        best_high,
        n_rows,
        int(known.any((0, 2)).sum()),
        margin,
        confidence,
    )


def _answer(low: float, high: float, margin: float) -> str:
    if low > 0:
        return "harmful"
    if high < 0:
        return "helps"
    return "harmless" if high <= margin else "not told"


@dataclass(frozen=True, eq=False)
class _Difference:
    """What is not known of a mean difference.

    Attributes:
        models: `[K]` and rows: `[groups]`, what each adds to it, less the mean. entries: the sum of
            squares of what each model adds on each group. doubt: variance of the two rows added.
    """

    models: np.ndarray
    rows: np.ndarray
    entries: float
    doubt: float

    def spread(self, of_models: float = 1.0) -> Spread:
        """Return its variance, in which that between models counts so many times."""
        if len(self.models) == 1:
            return Spread(self.entries + self.doubt, len(self.rows) - 1)
        # The two rows are in the sum over rows alone: they are of no model.
        rows = np.append(self.rows, [np.sqrt(self.doubt)])
        return clustered_spread(rows, self.models * np.sqrt(of_models), self.entries)

    def half_width(self, level: float) -> float:
        """Half the length of the interval that misses with a probability of at most `level`.

        A single t with Satterthwaite's degrees of freedom misses too often: where models happen to
        agree it takes their variance to be small, and to be well known.
        """
        t_rows, t_models = (
            float(stdtrit(max(len(parts) - 1, 1), 1 - level / 2))
            for parts in (self.rows, self.models)
        )
        return t_rows * float(np.sqrt(self.spread((t_models / t_rows) ** 2).variance))


def _difference(
    apart: np.ndarray, known: np.ndarray, of_group: np.ndarray, is_binary: bool
) -> _Difference:
    n = known.sum()
    left = np.where(known, apart - apart.sum() / n, 0.0) / n
    rows = np.bincount(of_group, left.sum(0))
    of_cells = np.stack([np.bincount(of_group, each, len(rows)) for each in left])
    doubt = 2.0 / (len(rows) + 2) ** 2 if is_binary else 0.0
    return _Difference(left.sum(1)[known.any(1)], rows, float((of_cells**2).sum()), doubt)


def _joint_level(differences: Sequence[_Difference], confidence: float) -> float:
    """Return the level of single intervals that hold together with the confidence asked for."""
    if len(differences) == 1:
        return 1 - confidence
    rows = np.stack([d.rows for d in differences])
    # What recipes have in common is seen over rows; models are too few to show any of it.
    covariance = rows @ rows.T
    covariance += np.diag([d.spread().variance for d in differences] - np.diag(covariance)).clip(0)
    scale = np.sqrt(np.maximum(np.diag(covariance), np.finfo(float).tiny))
    correlation = covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)  # also of a recipe that never differs
    rng = np.random.default_rng(0)
    normal = rng.multivariate_normal(np.zeros(len(scale)), correlation, _DRAWS, method="eigh")
    least = np.ones(_DRAWS)
    for r, difference in enumerate(differences):
        # One draw of each variance: independent ones only make the bounds somewhat wider.
        freedom = difference.spread().freedom
        t = normal[:, r] / np.sqrt(rng.chisquare(freedom, _DRAWS) / freedom)
        least = np.minimum(least, 2 * stdtr(freedom, -np.abs(t)))
    return float(np.quantile(least, 1 - confidence))


def _gain_of_choosing(apart: np.ndarray, known: np.ndarray, of_group: np.ndarray) -> float:
    """Return the mean gain of the recipe chosen on other groups of rows and other models."""
    n_groups, n_models = int(of_group.max()) + 1, apart.shape[1]
    part = np.random.default_rng(0).permutation(n_groups)[of_group] % min(_FOLDS, n_groups)
    folds = range(part.max() + 1)
    sums = np.stack([apart[:, :, part == f].sum(2) for f in folds], 2)  # [R - 1, K, folds]
    counts = np.stack([known[:, :, part == f].sum(2) for f in folds], 2)
    if n_models > 1:  # all models but one, all folds but one
        sums_else = _all_but(_all_but(sums, 1), 2)
        counts_else = _all_but(_all_but(counts, 1), 2)
    else:
        sums_else, counts_else = _all_but(sums, 2), _all_but(counts, 2)
    looks = np.where(counts_else > 0, sums_else / np.maximum(counts_else, 1), -np.inf)
    chosen = looks.argmax(0)[None]
    taken = np.take_along_axis(counts, chosen, 0).sum()
    return float(np.take_along_axis(sums, chosen, 0).sum() / taken) if taken else np.nan


def _all_but(values: np.ndarray, axis: int) -> np.ndarray:
    return values.sum(axis, keepdims=True) - values


def _mean(values: np.ndarray) -> float:
    known = ~np.isnan(values)
    return float(values[known].mean()) if known.any() else np.nan
