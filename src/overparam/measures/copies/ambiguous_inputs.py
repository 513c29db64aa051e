"""Inputs that do not decide their label, told apart from labels that are wrong.

Wrong labels fall on any row: in a group of n rows of one input, as many are not the commonest as of
n throws of one rare event. Where an input does not decide its label, any share may be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, xlog1py, xlogy
from scipy.stats import chi2

_ROUNDS = 200  # of expectation and maximization, at most
_STILL = 1e-8  # gain of log likelihood, below which they have converged
_START = 0.05, 0.5  # share of wrong labels, share of ambiguous inputs


@dataclass(frozen=True)
class Ambiguity:
    """What the sizes of groups and of their minorities say.

    Attributes:
        probability: `[g]`, that the group's input does not decide its label.
        p_value: that wrong labels alone give minorities so unevenly spread.
        noise_rate: the share of wrong labels that goes with it.
    """

    probability: np.ndarray
    p_value: float
    noise_rate: float


def ambiguity_of_groups(
    size: np.ndarray, minority: np.ndarray, noise_rate: float | None
) -> Ambiguity:
    """Return which groups are ambiguous, by the likeliest mixture of two kinds of groups.

    In one kind labels err at one rate; in the other, whose share is fitted too, the share of the
    label is anything in [0, 1] alike. Both count which label is the commonest only. The p-value is
    of the likelihood ratio against the first kind alone, half a chi-square of one degree of freedom
    since the share may not be negative (Self, Liang 1987, J. Amer. Statist. Assoc. 82, 605).
    """
    if not minority.any():
        return Ambiguity(np.zeros(len(size)), 1.0, 0.0 if noise_rate is None else noise_rate)
    pairs, of_group, count = np.unique(
        np.stack([size, minority], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    n, m = pairs.T
    both = np.where(2 * m == n, 1, 2)  # either label may be the commonest
    anything = both / (n + 1)
    alone, rate, _ = _fitted(n, m, count, anything, noise_rate, 0.0)
    mixed, of_mixture, odds = _fitted(n, m, count, anything, noise_rate, _START[1])
    ratio = 2 * (mixed - alone)
    p_value = float(chi2.sf(ratio, 1) / 2) if ratio > 0 else 1.0
    return Ambiguity(odds[of_group.ravel()], p_value, of_mixture if ratio > 0 else rate)


def _fitted(
    n: np.ndarray,
    m: np.ndarray,
    count: np.ndarray,
    anything: np.ndarray,
    noise_rate: float | None,
    share: float,
) -> tuple[float, float, np.ndarray]:
    """Return log likelihood, rate of wrong labels, probability of each pair to be ambiguous."""
    rate = _START[0] if noise_rate is None else noise_rate
    odds, log_likelihood = np.zeros(len(n)), -np.inf
    ways = gammaln(n + 1) - gammaln(m + 1) - gammaln(n - m + 1)
    for _ in range(_ROUNDS):
        few = np.exp(ways + xlogy(m, rate) + xlog1py(n - m, -rate))
        many = np.exp(ways + xlogy(n - m, rate) + xlog1py(m, -rate))
        many = np.where(2 * m == n, 0.0, many)
        total = share * anything + (1 - share) * (few + many)
        total = np.maximum(total, np.finfo(np.float64).tiny)
        odds = share * anything / total
        before, log_likelihood = log_likelihood, float((count * np.log(total)).sum())
        if log_likelihood - before < _STILL:
            break
        share = float((count * odds).sum() / count.sum())
        if noise_rate is None:
            weight = count * (1 - odds)
            wrong = (few * m + many * (n - m)) / np.maximum(few + many, np.finfo(np.float64).tiny)
            rate = float(min((weight * wrong).sum() / max((weight * n).sum(), 1e-12), 0.5))
    return log_likelihood, rate, odds


def surely_ambiguous(probability: np.ndarray, false_share: float) -> np.ndarray:
    """Return the likeliest groups, as many as keep the mean of 1 - probability at `false_share`.

    >>> surely_ambiguous(np.array([0.99, 0.5, 0.95]), 0.05)
    array([ True, False,  True])
    """
    order = np.argsort(-probability, kind="stable")
    expected = np.cumsum(1 - probability[order]) / np.arange(1, len(order) + 1)
    found = np.zeros(len(order), bool)
    found[order[: int((expected <= false_share).sum())]] = True
    return found
