"""Rates of few draws and their differences: against scipy's distribution, by exact coverage."""

import numpy as np
import pytest
from scipy import stats

from overparam.measures.jeffreys import (
    difference_interval,
    jeffreys_accuracies,
    squared_error,
)


def test_moments_and_bounds_are_those_of_the_posterior():
    hits, n = np.array([0, 1, 3, 7]), np.array([7, 7, 7, 7])
    posterior = stats.beta(hits + 0.5, n - hits + 0.5)
    found = jeffreys_accuracies(hits, n, 0.9)
    np.testing.assert_array_equal(found.variance, squared_error(hits, n))
    np.testing.assert_allclose(found.low[1:], posterior.ppf(0.05)[1:], rtol=1e-9)
    np.testing.assert_allclose(found.high[:-1], posterior.ppf(0.95)[:-1], rtol=1e-9)
    assert (found.low[0], found.high[-1]) == (0, 1)


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_the_squared_error_is_that_of_the_share(n):
    # By quadrature over the posterior of a rate that may be anything, and on average over rates.
    hits, p = np.arange(n + 1), (np.arange(20_000) + 0.5) / 20_000
    posterior = stats.binom.pmf(hits[:, None], n, p)
    posterior /= posterior.sum(1, keepdims=True)
    expected = (posterior * (hits[:, None] / n - p) ** 2).sum(1)
    np.testing.assert_allclose(squared_error(hits, np.full(n + 1, n)), expected, rtol=1e-6)
    assert squared_error(hits, np.full(n + 1, n)).mean() == pytest.approx(1 / 6 / n)  # of p (1 - p)


def test_rows_that_share_counts_have_the_bounds_of_each_alone():
    rng = np.random.default_rng(0)
    n = rng.integers(0, 40, 500)
    hits = rng.integers(0, n + 1)
    together = jeffreys_accuracies(hits, n, 0.95)
    alone = [jeffreys_accuracies(hits[i : i + 1], n[i : i + 1], 0.95) for i in range(500)]
    for name in ("estimate", "low", "high", "variance"):
        expected = np.concatenate([getattr(found, name) for found in alone])
        np.testing.assert_array_equal(getattr(together, name), expected)


def test_no_draws_say_nothing():
    found = jeffreys_accuracies(np.array([0, 1]), np.array([0, 1]), 0.95)
    for values in (found.estimate, found.low, found.high, found.variance):
        assert np.isnan(values).tolist() == [True, False]


@pytest.mark.parametrize("n", [1, 2, 5, 14, 56])
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3, 0.5, 0.9])
def test_rates_are_covered(n, rate):
    hits = np.arange(n + 1)
    found = jeffreys_accuracies(hits, np.full(n + 1, n), 0.95)
    covered = (found.low <= rate) & (rate <= found.high)
    # Exact, summed over outcomes. Discreteness makes it swing; Brown et al. show dips to .84.
    assert stats.binom.pmf(hits, n, rate)[covered].sum() > 0.84


@pytest.mark.parametrize(("n_in", "n_out"), [(4, 1), (7, 3), (14, 6), (56, 24)])
@pytest.mark.parametrize(
    ("p_in", "p_out"), [(1, 0), (1, 0.5), (0.9, 0.6), (0.99, 0.97), (0.5, 0.5)]
)
def test_differences_are_covered(n_in, n_out, p_in, p_out):
    i, o = (m.ravel() for m in np.meshgrid(np.arange(n_in + 1), np.arange(n_out + 1)))
    low, high = difference_interval(
        jeffreys_accuracies(i, np.full(len(i), n_in), 0.95),
        jeffreys_accuracies(o, np.full(len(o), n_out), 0.95),
    )
    weight = stats.binom.pmf(i, n_in, p_in) * stats.binom.pmf(o, n_out, p_out)
    truth = p_in - p_out
    assert weight[(low <= truth + 1e-12) & (truth <= high + 1e-12)].sum() > 0.9
    assert np.all((low >= -1) & (high <= 1) & (low < high))
