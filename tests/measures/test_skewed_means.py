"""Bounds of skewed means: Student's, exact ones of rare events, coverage, labels added."""

import numpy as np
import pytest
from scipy.stats import chi2, ttest_1samp

from overparam.measures.clustering import Spread
from overparam.measures.skewed_means import hit_and_miss, skewed_bounds


def test_without_skewness_it_is_the_t_interval():
    values = np.random.default_rng(0).normal(size=12)
    found = skewed_bounds(values.mean(), Spread(values.var(ddof=1) / 12, 11), 0.0, 0.9)
    assert found == pytest.approx(tuple(ttest_1samp(values, 0).confidence_interval(0.9)))
    assert skewed_bounds(3.0, Spread(0.0, 11), 0.0, 0.9) == (3, 3)


@pytest.mark.parametrize("count", [0, 1, 2, 5, 20])
def test_of_rare_events_it_is_nearly_exact(count):
    # Of a Poisson count all cumulants are its mean; one event is added to them.
    low, high = skewed_bounds(count, Spread(count + 1, np.inf), count + 1, 0.95)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * (count + 1)) / 2, rel=0.06)
    exact_low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    assert exact_low - 1.05 <= low <= exact_low + 0.15


def test_losses_in_the_other_direction_are_a_mirror():
    low, high = skewed_bounds(1.0, Spread(0.5, 9), 0.7, 0.95)
    assert skewed_bounds(-1.0, Spread(0.5, 9), -0.7, 0.95) == pytest.approx((-high, -low))


def test_a_hit_is_of_the_most_probable_class_and_a_miss_of_the_others():
    hit, miss = hit_and_miss(np.array([[0.7, 0.3, 0.0], [0.5, 0.0, 0.5]]), 1e-3)
    np.testing.assert_array_equal(hit, [[0.7, 0, 0], [0.5, 0, 0]])
    np.testing.assert_array_equal(miss, [[0, 0.3, 1e-3], [0, 1e-3, 0.5]])
