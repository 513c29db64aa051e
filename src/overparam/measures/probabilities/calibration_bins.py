"""Probabilities cut into bins of equal mass: how far off each is, and how far by chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import betaincinv, stdtrit

_ROWS_PER_BIN = 10  # at least, on average
_SLICES = 8  # of a bin, within which probabilities are taken as equal when labels are drawn
_DRAWS = 1000


@dataclass(frozen=True)
class Bins:
    """Rows in bins by their score, an event's probability, and how often the event came.

    Attributes:
        bin: int64 `[n]`. n: rows of each bin, `[B]`. score, rate: their means, `[B]`.
        covariance: `[B, B]` of rate - score, groups drawn as wholes; diagonal where each row is
            its own.
        together: `[B]`, variance of rate - score where scores are right and all rows of a group
            go together, which is the most that groups can vary.
        n_groups: `[B]`, groups of equal size that a bin's are worth, n^2 / sum_g n_g^2.
        grouped: whether any group has several rows.
    """

    bin: np.ndarray
    n: np.ndarray
    score: np.ndarray
    rate: np.ndarray
    covariance: np.ndarray
    together: np.ndarray
    n_groups: np.ndarray
    grouped: bool

    @property
    def share(self) -> np.ndarray:
        """Of all rows, `[B]`."""
        return self.n / self.n.sum()

    @property
    def off(self) -> np.ndarray:
        """Rate minus score, `[B]`."""
        return self.rate - self.score


def cut_into_bins(score: np.ndarray, event: np.ndarray, group: np.ndarray, n_bins: int) -> Bins:
    """Return at most so many bins of equal mass, with ten groups each on average.

    Equal scores stay in one bin, so ties make bins fewer; a bin of a single group joins the one
    below it. Bins do not look at events.
    """
    n_groups = int(group.max()) + 1
    wanted = max(1, min(n_bins, n_groups // _ROWS_PER_BIN))
    of_row = _merged(_by_quantiles(score, wanted), group)
    n = np.bincount(of_row)
    mean_score, rate = (np.bincount(of_row, weights=values) / n for values in (score, event))
    residual = event - score - (rate - mean_score)[of_row]

    def by_group(values: np.ndarray) -> sparse.csr_matrix:
        """Return each group's share of the mean of each bin, `[groups, B]`."""
        at = (group, of_row)
        return sparse.csr_matrix((values / n[of_row], at), shape=(n_groups, len(n)))

    sums = by_group(residual)  # products of two groups vanish on average
    shares = by_group(np.ones(len(score)))
    squares, cubes = (np.asarray(shares.power(k).sum(0))[0] for k in (2, 3))
    # What centring takes away from groups that vary alike, however large; n/(n - 1) for single
    # rows. Where one group is most of a bin, little is left, and that is made large again.
    scale = np.sqrt(squares / (squares - 2 * cubes + squares**2))
    covariance = (sums.T @ sums).toarray() * np.outer(scale, scale)
    together = np.asarray(by_group(np.sqrt(score * (1 - score))).power(2).sum(0))[0]
    grouped = n_groups < len(score)
    return Bins(of_row, n, mean_score, rate, covariance, together, 1 / squares, grouped)


def off_by_chance(bins: Bins, score: np.ndarray) -> np.ndarray:
    """Return draws `[draws, B]` of rate - score as they are where scores are right.

    Labels are drawn from the scores, those of an eighth of a bin taken as equal. Where rows vary
    in groups the scores do not say how: normal draws around 0. Their variance is mostly what a
    bin's groups show; of k groups' worth, 1/k of it is what groups of rows that all go together
    would show. One group that is most of a bin says nothing of how groups vary.
    """
    rng = np.random.default_rng(0)
    n_bins = len(bins.n)
    if bins.grouped:
        v = np.diag(bins.covariance)
        doubt = np.maximum(bins.together - v, 0) / bins.n_groups
        spread = bins.covariance + np.diag(doubt)
        return rng.multivariate_normal(np.zeros(n_bins), spread, _DRAWS, method="svd")
    draws = np.empty((_DRAWS, n_bins))
    for b in range(n_bins):
        ordered = np.sort(score[bins.bin == b])
        slices = np.array_split(ordered, min(_SLICES, len(ordered)))
        sizes, chance = np.array([[len(s), s.mean()] for s in slices]).T
        hits = rng.binomial(sizes.astype(np.int64), chance.clip(0, 1), (_DRAWS, len(slices)))
        draws[:, b] = hits.sum(1) / len(ordered) - bins.score[b]
    return draws


def rate_bounds(bins: Bins, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return Jeffreys' bounds of as many independent rows as each bin is worth."""
    rate, worth = bins.rate, bins.n.astype(np.float64)
    if bins.grouped:
        level, v = (1 + confidence) / 2, np.diag(bins.covariance)
        known = np.where((rate > 0) & (rate < 1) & (v > 0), v, np.inf)
        freedom = np.maximum(bins.n_groups - 1, 1)
        doubt = (stdtrit(np.inf, level) / stdtrit(freedom, level)) ** 2
        worth = np.where(
            np.isfinite(known),
            np.minimum(rate * (1 - rate) / known, bins.n) * doubt,
            bins.n_groups,  # nothing says how groups vary: each counts once
        )
    hits, alpha = rate * worth, (1 - confidence) / 2
    low = np.where(rate == 0, 0.0, betaincinv(hits + 0.5, worth - hits + 0.5, alpha))
    high = np.where(rate == 1, 1.0, betaincinv(hits + 0.5, worth - hits + 0.5, 1 - alpha))
    return low, high


def cautious_variance(bins: Bins) -> np.ndarray:
    """The squared standard error of each bin's rate, a hit and a miss added."""
    rate = (bins.rate * bins.n_groups + 1) / (bins.n_groups + 2)
    return rate * (1 - rate) / bins.n_groups


def _by_quantiles(score: np.ndarray, n_bins: int) -> np.ndarray:
    ordered = np.sort(score)
    last = np.ceil(np.arange(1, n_bins) * len(score) / n_bins).astype(np.int64) - 1
    return np.searchsorted(np.unique(ordered[last]), score, side="left")


def _merged(of_row: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return numbers 0 ... B - 1 of bins that each hold two groups or more."""
    while True:
        of_row = np.unique(of_row, return_inverse=True)[1]
        pairs = np.unique(np.stack([of_row, group]), axis=1)[0]
        lonely = np.flatnonzero(np.bincount(pairs) < 2)
        if not len(lonely) or of_row.max() == 0:
            return of_row
        b = lonely[0]
        of_row = np.where(of_row == b, b - 1 if b else 1, of_row)
