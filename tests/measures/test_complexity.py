"""Effective model complexity, interpolation threshold, axes across it."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special

from overparam.errors import DataError, UsageError
from overparam.measures import (
    across_threshold,
    effective_model_complexity,
    interpolation_threshold,
)

SIZES = [100, 200, 400, 800, 1600]


def test_emc_on_a_curve_linear_in_log_n_is_exact():
    # error = 0.2 log2(n / 100), so it is 0.1 at n = 100 sqrt(2), and 0.3 at 100 x 2^1.5.
    errors = 0.2 * np.log2(np.array(SIZES) / 100)
    assert effective_model_complexity(SIZES, errors).value == pytest.approx(100 * 2**0.5)
    emc = effective_model_complexity(SIZES, errors, epsilon=0.3)
    assert emc.value == pytest.approx(100 * 2**1.5)
    assert (emc.censored, emc.n_seeds) == ("no", 1)
    assert math.isnan(emc.low)
    assert math.isnan(emc.high)


def test_emc_takes_the_largest_n_and_the_mean_over_seeds():
    assert effective_model_complexity([1, 2, 4, 8], [0.0, 0.5, 0.1, 0.9]).value == pytest.approx(4)
    both = effective_model_complexity([1, 10], [[0.0, 0.0], [0.1, 0.3]])
    assert both.value == pytest.approx(10**0.5)


def test_emc_beyond_the_sweep_is_said():
    above = effective_model_complexity([10, 20], [[0.0, 0.0], [0.0, 0.05]])
    assert (above.value, above.censored, above.high) == (20, "above", math.inf)
    below = effective_model_complexity([10, 20], [0.5, 0.9])
    assert (below.value, below.censored, below.low, below.high) == (10, "below", 0.0, 10.0)
    single = effective_model_complexity([10, 20], [0.0, 0.0])
    assert (single.low, single.high) == (20, math.inf)


def test_a_diverged_run_has_not_fitted():
    emc = effective_model_complexity([10, 20], [0.0, math.nan])
    assert emc.value == effective_model_complexity([10, 20], [0.0, 1.0]).value


def test_emc_interval_covers():
    # Curves shifted in log n by a Gaussian of known centre: on average over seeds the mean curve
    # crosses at the centre (the curve is linear where it matters, so the shift averages out).
    rng, n_seeds, n_trials, hits = np.random.default_rng(0), 8, 1_000, 0
    sizes = np.geomspace(100, 1600, 401)  # so many that their spacing is not felt
    log_sizes = np.log2(sizes)[:, None]
    centre = math.log2(350.0)
    for _ in range(n_trials):
        shift = 0.1 * rng.standard_normal(n_seeds)
        errors = np.clip(0.1 + 0.05 * (log_sizes - centre - shift), 0, 1)
        emc = effective_model_complexity(sizes, errors)
        hits += emc.low <= 350.0 <= emc.high
    # Four binomial standard errors are 2.8 points. An interval that took the standard deviation for
    # the standard error would cover nearly always, one without the t quantile some 91 %.
    assert hits / n_trials == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / n_trials))


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("steepness", [1, 4, 12])
def test_emc_interval_covers_on_coarse_grids_and_steep_curves(factor, steepness):
    # error = x^k / (5 (1 + x^k)), x = n / EMC, is 0.1 at n = EMC, wherever that lies in the grid.
    rng, n_trials, hits = np.random.default_rng(steepness), 300, 0
    sizes = 100 * float(factor) ** np.arange(12 // factor + 1)
    for _ in range(n_trials):
        truth = math.exp(rng.uniform(*np.log(sizes[[1, -2]])))
        reached = truth * np.exp(0.05 * rng.standard_normal(5))
        x = (sizes[:, None] / reached) ** steepness
        emc = effective_model_complexity(sizes, 0.2 * x / (1 + x))
        hits += emc.low <= truth <= emc.high
    assert hits / n_trials > 0.95 - 2 * math.sqrt(0.95 * 0.05 / n_trials)


def test_emc_interval_covers_where_few_seeds_fit_little():
    """The mean error hangs on seeds of which a sweep may hold none: then all its errors agree."""
    rng, n_trials, missed = np.random.default_rng(2), 600, 0
    sizes, deviation = np.geomspace(50, 5000, 9), 0.5
    quantiles = deviation * special.ndtri((np.arange(1000) + 0.5) / 1000)

    def errors(log_sizes, shifts):
        return 0.9 * special.expit(3 * (log_sizes[:, None] - shifts))

    truth = optimize.brentq(lambda x: errors(np.array([x]), quantiles).mean() - 0.1, -3, 1)
    truth = 600 * math.exp(truth)
    for _ in range(n_trials):
        shifts = deviation * rng.standard_normal(8)
        emc = effective_model_complexity(sizes, errors(np.log(sizes / 600), shifts))
        missed += not emc.low <= truth <= emc.high
    # The jackknife alone misses in a tenth of sweeps.
    assert missed / n_trials <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / n_trials)


@pytest.mark.parametrize("size", [3, 7, 1000, 12_345])
def test_a_knot_where_the_error_is_epsilon_is_found_exactly(size):
    """exp(log(1000)) is 999.9999999999998."""
    emc = effective_model_complexity([1, size, 10 * size], [0.1, 0.1, 0.5])
    assert emc.value == size
    assert interpolation_threshold([1, size, 10 * size], [0.5, 0.1, 0.0]) == size


def test_an_emc_is_known_no_better_than_its_sizes_are_spaced():
    # Everything up to 5,000 is fitted, by all seeds alike: the sweep cannot say where it ends.
    errors = np.repeat([[0.0], [0.0], [0.9]], 5, axis=1)
    found = effective_model_complexity([100, 1000, 10_000], errors)
    assert (found.low, found.high) == (1000, 10_000)


def test_an_emc_that_hangs_on_one_seed_has_an_open_end():
    errors = [[0.0, 0.0, 0.0], [0.0, 0.0, 0.9]]  # without the last seed all sizes are fitted
    assert effective_model_complexity([10, 20], errors).high == math.inf
    errors = [[0.9, 0.0, 0.0], [0.9, 0.9, 0.9]]
    assert effective_model_complexity([10, 20], errors).low == 0


def test_threshold_on_a_curve_linear_in_log_capacity_is_exact():
    widths = np.array([1, 2, 4, 8, 16])
    errors = 1 - np.log2(widths) / 4
    assert interpolation_threshold(widths, errors, 0.125) == pytest.approx(2**3.5)
    assert interpolation_threshold(widths, errors, 0.0) == pytest.approx(16)


def test_threshold_takes_the_first_fall_and_the_mean_over_seeds():
    assert interpolation_threshold([1, 2, 4, 8], [0.9, 0.0, 0.5, 0.0], 0.0) == pytest.approx(2)
    seeds = [[0.8, 0.4], [0.2, 0.0]]  # means 0.6 and 0.1
    assert interpolation_threshold([10, 20], seeds, 0.1) == pytest.approx(20)


def test_threshold_outside_the_sweep():
    assert math.isnan(interpolation_threshold([1, 2], [0.9, 0.8]))
    assert math.isnan(interpolation_threshold([1, 2], [0.9, math.nan]))
    assert interpolation_threshold([3, 4], [0.0, 0.0]) == 3.0


@pytest.mark.parametrize("measure", [effective_model_complexity, interpolation_threshold])
@pytest.mark.parametrize(
    ("sizes", "errors", "words"),
    [
        ([1, 2], [0.1], "do not fit together"),
        ([[1, 2]], [0.1, 0.2], "do not fit together"),
        ([1, 2], np.zeros((2, 0)), "do not fit together"),
        ([1], [0.1], "at least two positive numbers"),
        ([0, 1], [0.1, 0.2], "at least two positive numbers"),
        ([1, math.nan], [0.1, 0.2], "at least two positive numbers"),
        ([2, 2], [0.1, 0.2], "must rise strictly"),
        ([1, 2], [0.1, 1.2], "must be fractions"),
    ],
)
def test_sweeps_that_cannot_be_used(measure, sizes, errors, words):
    with pytest.raises(DataError, match=words):
        measure(sizes, errors)


@pytest.mark.parametrize("measure", [effective_model_complexity, interpolation_threshold])
def test_settings_out_of_range(measure):
    with pytest.raises(UsageError, match="epsilon is out of range"):
        measure([1, 2], [0.1, 0.2], 1.0)
    with pytest.raises(UsageError, match="confidence is out of range"):
        effective_model_complexity([1, 2], [0.1, 0.2], confidence=0.0)


@settings(deadline=None, derandomize=True)
@given(
    threshold=st.floats(2, 1e6),
    n_below=st.integers(1, 12),
    n_above=st.integers(1, 12),
    low_ratio=st.floats(0.001, 0.9),
    high_ratio=st.floats(1.1, 100),
)
def test_an_axis_holds_its_promise_or_says_why_not(
    threshold, n_below, n_above, low_ratio, high_ratio
):
    middle = round(threshold)
    low, high = max(1, round(threshold * low_ratio)), round(threshold * high_ratio)
    possible = n_below <= middle - low and n_above <= high - middle
    if not possible:
        with pytest.raises(UsageError, match="there are not"):
            across_threshold(threshold, n_below, n_above, low_ratio, high_ratio)
        return
    axis = across_threshold(threshold, n_below, n_above, low_ratio, high_ratio)
    assert len(axis) == n_below + 1 + n_above
    assert all(isinstance(value, int) for value in axis)
    assert all(a < b for a, b in pairwise(axis))
    assert axis[n_below] == middle
    assert axis[0] == low
    assert axis[-1] == high


def test_a_wide_axis_is_geometric():
    axis = across_threshold(1_000_000, 5, 5, 0.1, 10)
    ratios = np.diff(np.log(axis))
    np.testing.assert_allclose(ratios, math.log(10) / 5, atol=1e-4)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"threshold": math.nan}, "threshold is out of range"),
        ({"threshold": 1.0}, "threshold is out of range"),
        ({"n_below": 0}, "n_below is out of range"),
        ({"n_above": 0}, "n_above is out of range"),
        ({"low_ratio": 1.0}, "low_ratio is out of range"),
        ({"high_ratio": 1.0}, "high_ratio is out of range"),
        ({"n_below": 50}, "there are not 50 whole numbers below the threshold 40"),
    ],
)
def test_axis_out_of_range(setting, words):
    with pytest.raises(UsageError, match=words):
        across_threshold(**{"threshold": 40, **setting})


@pytest.mark.parametrize("n_seeds", [1, 2, 3, 12, 19])
@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.2])
def test_a_mean_of_epsilon_fits(n_seeds, epsilon):
    """The mean of three .1 is .10000000000000002."""
    equal, more = [epsilon] * n_seeds, [3 * epsilon] * n_seeds
    found = effective_model_complexity([10, 100], [equal, more], epsilon)
    assert (found.value, found.censored) == (pytest.approx(10), "no")
    assert effective_model_complexity([10, 100], [equal, equal], epsilon).censored == "above"
    assert interpolation_threshold([10, 100], [more, equal], epsilon) == pytest.approx(100)
