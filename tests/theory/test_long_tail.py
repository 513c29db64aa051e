"""Closed forms of the long tail: the published value, exact fractions, sampling, sums, limits."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from overparam.errors import UsageError
from overparam.theory import expected_count, expected_frequency, zipf_frequencies


def test_tau_of_zipf_is_the_published_value():
    found = expected_frequency(zipf_frequencies(1000), 1000, 1)
    assert found == pytest.approx(5.588094e-4, abs=1e-9)  # shared reference, F2


@pytest.mark.parametrize("n_seen", [0, 1, 3, 12])
def test_tau_is_the_ratio_of_moments_in_exact_fractions(n_seen):
    n, weights = 12, [Fraction(1, j) for j in range(1, 8)]
    a = [w / sum(weights) for w in weights]
    moments = [sum(x ** (n_seen + more) * (1 - x) ** (n - n_seen) for x in a) for more in (0, 1)]
    assert expected_frequency([float(x) for x in a], n, n_seen) == pytest.approx(
        float(moments[1] / moments[0]), rel=1e-12
    )
    count = comb(n, n_seen) * moments[0]
    assert expected_count([float(x) for x in a], n, n_seen) == pytest.approx(
        float(count), rel=1e-12
    )


def test_tau_is_how_frequent_those_are_that_were_seen_so_often():
    """Sampling from the definition: the frequency of subpopulations seen once, and their number."""
    a, n, rng = zipf_frequencies(50), 100, np.random.default_rng(0)
    once = rng.multinomial(n, a, size=20_000) == 1
    mass = once @ a
    wanted = expected_count(a, n, 1) * expected_frequency(a, n, 1)
    assert mass.mean() == pytest.approx(wanted, abs=4 * mass.std() / 20_000**0.5)
    n_once = once.sum(1)
    assert n_once.mean() == pytest.approx(
        expected_count(a, n, 1), abs=4 * n_once.std() / 20_000**0.5
    )


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_all_counts_together_are_all_subpopulations_all_rows_and_the_whole(exponent):
    a, n = zipf_frequencies(20, exponent), 30
    counts = np.array([expected_count(a, n, k) for k in range(n + 1)])
    taus = np.array([expected_frequency(a, n, k) for k in range(n + 1)])
    assert counts.sum() == pytest.approx(20)
    assert counts @ np.arange(n + 1) == pytest.approx(n)
    assert counts @ taus == pytest.approx(1)
    assert (np.diff(taus) >= -1e-12).all()  # what is seen more often is more frequent


def test_without_a_tail_tau_is_the_one_frequency():
    assert expected_frequency(zipf_frequencies(40, 0.0), 1000, 1) == pytest.approx(1 / 40)
    assert expected_frequency([1.0], 5, 5) == 1
    assert expected_count([1.0], 5, 5) == pytest.approx(1)


@pytest.mark.parametrize(
    "frequencies", [[], [0.5, 0.6], [1.5, -0.5], [[0.5, 0.5]], [float("nan"), 1.0], [0.0, 1.0]]
)
def test_frequencies_that_are_none_are_refused(frequencies):
    with pytest.raises(UsageError, match="frequencies are not those of subpopulations"):
        expected_frequency(frequencies, 10, 1)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(UsageError, match="n_seen is out of range"):
        expected_count([1.0], 3, 4)
    with pytest.raises(UsageError, match="n_rows is out of range"):
        expected_count([1.0], 0, 0)
    with pytest.raises(UsageError, match="no subpopulation can be seen so often"):
        expected_frequency([1.0], 3, 1)
    with pytest.raises(UsageError, match="n_subpopulations is out of range"):
        zipf_frequencies(0)
    with pytest.raises(UsageError, match="exponent is out of range"):
        zipf_frequencies(3, -1.0)
