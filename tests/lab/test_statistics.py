"""Statistics: closed forms, SciPy as oracle, and the coverage that each interval promises."""

import math

import numpy as np
import pytest
from scipy import stats

from overparam.errors import UsageError
from overparam.lab.statistics import (
    curve,
    geometric_mean_interval,
    mean_interval,
    median_interval,
    monotone_test,
    paired_difference,
    paired_log_ratio,
    sign_test,
)
from overparam.streams import Streams

N_SIMULATIONS = 2000
FOUR_ERRORS = 4 * math.sqrt(0.05 * 0.95 / N_SIMULATIONS)  # of a rate near 5 %: 0.019
NAN, INF = math.nan, math.inf


def generator(name):
    return Streams(0).numpy(name)


def ends(interval):
    return interval.estimate, interval.low, interval.high


def misses(intervals, truth):
    """Share of intervals that do not hold the truth."""
    return np.mean([not i.low <= truth <= i.high for i in intervals])


def noisy(rng, centre, n_seeds, spread=0.1):
    """Curves with what their seed shares (large) and noise of their own, all positive."""
    shared = rng.normal(0, 0.5, n_seeds)
    return np.asarray(centre)[:, None] * np.exp(
        shared + spread * rng.normal(size=(len(centre), n_seeds))
    )


# ------------------------------------------------------------------ what is taken

MATRIX = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    "statistic",
    [
        mean_interval,
        median_interval,
        geometric_mean_interval,
        sign_test,
        lambda values: paired_difference(values, values),
        lambda values: paired_log_ratio(np.ones(3), values),
    ],
)
@pytest.mark.parametrize("values", [MATRIX, MATRIX[:, :1], 5.0], ids=["[3, 2]", "[3, 1]", "[]"])
def test_values_are_one_for_each_seed(statistic, values):
    with pytest.raises(UsageError, match=r"must be one for each seed; got.*allowed: \[n\]"):
        statistic(values)


def test_masked_values_are_missing():
    values = np.ma.masked_array([1, 2, 4, 99], mask=[0, 0, 0, 1])
    for interval in (mean_interval, median_interval, geometric_mean_interval):
        assert repr(interval(values)) == repr(interval([1, 2, 4, NAN]))
    assert paired_difference(values, np.ones(4)) == paired_difference([1, 2, 4, NAN], np.ones(4))
    assert sign_test(values).n_missing == 1
    masked = np.ma.masked_array(MATRIX, mask=MATRIX == 5)
    assert monotone_test([1, 2, 3], masked).reversal.n_missing == 1


@pytest.mark.parametrize("step", [-0.1, NAN])
def test_a_step_is_not_negative(step):
    for call in (
        lambda: mean_interval([1.0, 2.0], step=step),
        lambda: paired_difference([1.0, 2.0], [1.0, 1.0], step=step),
        lambda: paired_log_ratio([1.0, 2.0], [1.0, 1.0], step=step),
        lambda: geometric_mean_interval([1.0, 2.0], step=step),
    ):
        with pytest.raises(UsageError, match="a step is out of range"):
            call()


# ------------------------------------------------------------------ means


def test_mean_interval_equals_scipys():
    x = generator("mean").normal(size=7)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    found = mean_interval(x, 0.9)
    np.testing.assert_allclose(ends(found), (x.mean(), *expected), rtol=1e-12)
    assert (found.level, found.n) == (0.9, 7)


@pytest.mark.parametrize("n", [2, 5, 20])
def test_mean_interval_covers(n):
    x = generator("cover mean").normal(3, 2, (N_SIMULATIONS, n))
    assert abs(misses(map(mean_interval, x), 3) - 0.05) < FOUR_ERRORS


def test_geometric_mean_is_the_mean_of_logarithms():
    x = generator("geometric").lognormal(size=6)
    expected = np.exp(ends(mean_interval(np.log(x))))
    np.testing.assert_allclose(ends(geometric_mean_interval(x)), expected, rtol=1e-12)
    np.testing.assert_allclose(geometric_mean_interval(x).estimate, stats.gmean(x), rtol=1e-12)


def test_geometric_mean_interval_covers_a_ratio_over_decades():
    x = generator("cover geometric").lognormal(1, 3, (N_SIMULATIONS, 5))
    assert abs(misses(map(geometric_mean_interval, x), math.e) - 0.05) < FOUR_ERRORS


def test_zeros_leave_no_geometric_interval_unless_there_is_a_floor():
    assert geometric_mean_interval([0, 1]).estimate == 0
    assert math.isnan(geometric_mean_interval([0, 1]).high)
    floored = geometric_mean_interval([0, 0.01], floor=0.01)
    np.testing.assert_allclose(ends(floored), (0.01, NAN, NAN), rtol=1e-12)
    with pytest.raises(UsageError, match=r"needs values >= 0; got -1\.0"):
        geometric_mean_interval([1, -1])


def test_paired_difference_equals_scipys_and_pays_for_pairing():
    rng = generator("paired")
    seeds = rng.normal(0, 10, 8)  # what the seeds share is large and cancels
    a, b = seeds + rng.normal(1, 0.1, 8), seeds + rng.normal(0, 0.1, 8)
    found = paired_difference(a, b)
    expected = stats.ttest_rel(a, b).confidence_interval()
    np.testing.assert_allclose(ends(found)[1:], expected, rtol=1e-10)
    assert found.high - found.low < 0.5


def test_paired_log_ratio_is_exact_where_the_ratio_is_and_says_no_more():
    b = generator("ratio").lognormal(0, 2, 5)
    np.testing.assert_allclose(ends(paired_log_ratio(3 * b, b)), (3, NAN, NAN), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize("share", [0.002, 0.01, 0.1])
def test_fractions_of_few_seeds_that_agree_have_no_interval_of_width_zero(n, share):
    rng, n_test = generator(f"lattice {n} {share}"), 200
    x = rng.binomial(n_test, share, (N_SIMULATIONS, n)) / n_test
    found = [mean_interval(row, step=1 / n_test, bounds=(0, 1)) for row in x]
    assert misses(found, share) < 0.055 + FOUR_ERRORS
    # The bound can be broken: two seeds of so few errors often agree, with or without chance.
    agree = np.mean([len(set(row)) == 1 for row in x])
    assert n > 2 or agree > (0.05 if share == 0.1 else 0.2)


def test_ratios_of_lattice_values_count_the_step_in_logarithms():
    found = paired_log_ratio([0.2, 0.2, 0.2], [0.1, 0.1, 0.1], step=0.001)
    half = stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)  # 0.001 / 0.1, where the lattice is coarsest
    np.testing.assert_allclose(ends(found), 2 * np.exp([0, -half, half]), rtol=1e-12)
    same = geometric_mean_interval([5.0, 5.0], step=1)
    half = stats.t.ppf(0.975, 1) * 0.2 / math.sqrt(2)
    np.testing.assert_allclose(ends(same), 5 * np.exp([0, -half, half]), rtol=1e-12)
    wide = [0.1, 0.4, 0.2]  # a spread above the step is what counts
    assert geometric_mean_interval(wide, step=0.001) == geometric_mean_interval(wide)
    assert math.isnan(geometric_mean_interval([0.0, 0.0], step=0.1).high)


def test_paired_log_ratio_covers():
    rng = generator("cover ratio")
    b = rng.lognormal(0, 2, (N_SIMULATIONS, 4))
    a = 1.5 * b * rng.lognormal(0, 0.3, b.shape)
    found = [paired_log_ratio(x, y) for x, y in zip(a, b, strict=True)]
    assert abs(misses(found, 1.5) - 0.05) < FOUR_ERRORS


@pytest.mark.parametrize("statistic", [paired_difference, paired_log_ratio])
def test_pairs_of_unlike_length_are_refused(statistic):
    with pytest.raises(UsageError, match="differ in length; got '2 and 3'"):
        statistic([1, 2], [1, 2, 3])


def test_level_is_checked():
    with pytest.raises(UsageError, match="level is out of range; got 1"):
        mean_interval([1, 2], 1)


# ------------------------------------------------------------------ medians and signs


@pytest.mark.parametrize("n", [6, 9, 12, 25])
def test_median_interval_is_the_widest_allowed_pair_of_order_statistics(n):
    x = generator("median").normal(size=n)
    found = median_interval(x)
    # Slow and sure: try every k and keep the largest that promises 95 %.
    allowed = [
        k for k in range(1, n // 2 + 1) if sum(math.comb(n, i) for i in range(k)) / 2**n * 2 <= 0.05
    ]
    ordered = sorted(x)
    assert (found.low, found.high) == (ordered[max(allowed) - 1], ordered[n - max(allowed)])
    np.testing.assert_allclose(found.estimate, np.median(x), rtol=1e-15)


def test_median_interval_covers_with_its_exact_probability():
    # n = 9, k = 2: misses with probability 2 (1 + 9) / 2^9 = 0.0391, whatever the distribution.
    x = generator("cover median").standard_cauchy((N_SIMULATIONS, 9))
    assert abs(misses(map(median_interval, x), 0) - 20 / 512) < FOUR_ERRORS


def test_median_takes_infinities_as_values():
    assert ends(median_interval([1, 2, INF, INF, INF])) == pytest.approx(
        (INF, NAN, NAN), nan_ok=True
    )
    assert ends(median_interval([1, 2, 3, 4, 5, INF])) == (3.5, 1, INF)


def test_sign_test_equals_the_binomial():
    found = sign_test([1, 2, -1, 0, NAN, 3, INF])
    assert (found.n_positive, found.n_negative) == (4, 1)
    assert found.p_value == pytest.approx((5 + 1) / 32, rel=1e-12)
    assert sign_test([1, 1, -1], "two-sided").p_value == 1
    assert sign_test([0, NAN]).p_value == 1
    assert (found.n_missing, sign_test([0, NAN]).n_missing) == (1, 1)


# ------------------------------------------------------------------ missing values


@pytest.mark.parametrize("interval", [mean_interval, geometric_mean_interval, median_interval])
def test_missing_values_and_few_values(interval):
    assert np.isnan(ends(interval([]))).all()
    one = interval([2.0, NAN])
    assert one.estimate == pytest.approx(2, rel=1e-15)
    assert (math.isnan(one.low), math.isnan(one.high), one.n) == (True, True, 1)
    gap, whole = interval([1, NAN, 3, 2]), interval([1, 3, 2])
    np.testing.assert_array_equal(ends(gap), ends(whole))
    assert (gap.n, gap.n_missing, whole.n_missing) == (3, 1, 0)
    assert not gap.is_known


def test_a_pair_with_a_missing_half_is_left_out():
    found = paired_difference([1, 2, NAN], [0, 0, 0])
    assert ends(found) == ends(paired_difference([1, 2], [0, 0]))
    assert found.n_missing == 1
    ratio = paired_log_ratio([1, 2, 3], [1, 4, NAN])
    assert (ratio.n, ratio.n_missing) == (2, 1)


@pytest.mark.parametrize(
    "interval",
    [
        mean_interval([1, 2, INF]),
        mean_interval([1, -INF, INF]),
        geometric_mean_interval([1, 2, INF]),
        paired_difference([INF, 1, 2], [INF, 0, 0]),
        paired_log_ratio([INF, 1, 2], [1, 1, 1]),
        paired_log_ratio([0, 1, 2], [1, 1, 1]),
        paired_log_ratio([0, 1, 2], [0, 1, 1]),
    ],
)
def test_infinite_values_leave_no_interval(interval):
    assert (math.isnan(interval.low), math.isnan(interval.high), interval.n) == (True, True, 3)


def test_unknown_words_are_refused():
    with pytest.raises(UsageError, match="unknown direction; got 'up'"):
        monotone_test([1, 2], [[1], [2]], "up")
    with pytest.raises(UsageError, match="did you mean 'geometric'"):
        curve([1, 2], [[1], [2]], "geometrical")


# ------------------------------------------------------------------ curves for figures


@pytest.mark.parametrize(
    ("how", "interval"),
    [("geometric", geometric_mean_interval), ("mean", mean_interval), ("median", median_interval)],
)
def test_curve_is_the_interval_of_each_level(how, interval):
    y = noisy(generator("curve"), np.arange(1, 5), 7)
    y[1, 2] = y[2, :] = NAN
    centre, low, high = curve([1, 2, 3, 4], y, how)
    expected = np.array([ends(interval(row)) for row in y]).T
    np.testing.assert_array_equal([centre, low, high], expected)


def test_bands_are_cut_where_values_cannot_be():
    y = [[0.0, 0.1, 0.0], [0.9, 1.0, 1.0]]
    _, low, high = curve([1, 2], y, "mean", bounds=(0, 1))
    assert (low[0], high[1]) == (0, 1)
    _, low, high = curve([1, 2], y, "mean")
    assert low[0] < 0
    assert high[1] > 1
