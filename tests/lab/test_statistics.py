"""Statistics: closed forms, SciPy as oracle, and the coverage that each interval promises."""

import math

import numpy as np
import pytest
from scipy import stats

from overparam.errors import UsageError
from overparam.lab.statistics import (
    bootstrap_interval,
    curve,
    geometric_mean_interval,
    mean_interval,
    median_interval,
    monotone_test,
    paired_difference,
    paired_log_ratio,
    peak_test,
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


# ------------------------------------------------------------------ bootstrap


def test_bootstrap_interval_agrees_with_scipys_bca():
    x = generator("bootstrap").exponential(size=25)
    ours = bootstrap_interval(x, np.mean, Streams(1), 9999)
    theirs = stats.bootstrap(
        (x,), np.mean, n_resamples=9999, method="BCa", random_state=generator("scipy")
    ).confidence_interval
    # 0.01: four Monte Carlo errors of a 2.5 % quantile from 9,999 resamples are 0.012; the plain
    # percentile interval is 0.03 off at the upper end of these skewed data.
    np.testing.assert_allclose(ends(ours)[1:], theirs, atol=0.012)


def test_bootstrap_interval_covers():
    n_simulations = 400
    x = generator("cover bootstrap").normal(size=(n_simulations, 40))
    found = [bootstrap_interval(row, np.mean, Streams(i), 400) for i, row in enumerate(x)]
    assert abs(misses(found, 0) - 0.05) < 4 * math.sqrt(0.05 * 0.95 / n_simulations)


def test_bootstrap_resamples_rows_and_repeats_itself():
    pairs = generator("rows").normal(size=(30, 2))
    pairs[:, 1] += pairs[:, 0]
    pairs[4, 1] = NAN

    def correlation(rows):
        return np.corrcoef(rows.T)[0, 1]

    found = bootstrap_interval(pairs, correlation, Streams(3), 300)
    assert found == bootstrap_interval(pairs, correlation, Streams(3), 300)
    assert found.n == 29
    assert found.low < correlation(np.delete(pairs, 4, 0)) == found.estimate < found.high <= 1


def test_bootstrap_of_a_constant_says_how_coarse_it_is_not_how_sure():
    found = bootstrap_interval([2, 2, 2], np.mean, Streams(0), 20)
    np.testing.assert_array_equal(ends(found), (2, NAN, NAN))
    with pytest.raises(UsageError, match="n_resamples is out of range"):
        bootstrap_interval([1, 2], np.mean, Streams(0), 1)


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
        bootstrap_interval([1, INF, -INF], np.max, Streams(0), 20),
    ],
)
def test_infinite_values_leave_no_interval(interval):
    assert (math.isnan(interval.low), math.isnan(interval.high), interval.n) == (True, True, 3)


# ------------------------------------------------------------------ monotone curves

LEVELS = np.geomspace(1, 1000, 10)


def noisy(rng, centre, n_seeds, spread=0.1):
    """Curves with what their seed shares (large) and noise of their own, all positive."""
    shared = rng.normal(0, 0.5, n_seeds)
    return np.asarray(centre)[:, None] * np.exp(
        shared + spread * rng.normal(size=(len(centre), n_seeds))
    )


def test_monotone_test_is_pages_test():
    y = noisy(generator("page"), 1 + np.arange(5) / 20, 6)
    found = monotone_test(LEVELS[:5], y)
    assert found.p_value == stats.page_trend_test(y.T, method="exact").pvalue
    assert monotone_test(LEVELS[:5], -y, "decreasing").p_value == found.p_value
    # By hand: 2 seeds in perfect order of 3 levels have p = (1/3!)^2.
    assert monotone_test([1, 2, 3], [[1, 1], [2, 2], [3, 3]]).p_value == pytest.approx(1 / 36)


def test_monotone_test_measures_the_largest_reversal():
    y = np.array([5.0, 3.0, 4.5, 4.6, 1.0])[:, None] + np.array([0.0, 10.0, 20.0])
    found = monotone_test([1, 2, 3, 4, 5], y, "decreasing")
    np.testing.assert_allclose(ends(found.reversal), (1.6, NAN, NAN), rtol=1e-12)
    stepped = monotone_test([1, 2, 3, 4, 5], y, "decreasing", step=0.01).reversal
    half = stats.t.ppf(0.975, 2) * 0.01 * math.sqrt(1 / 3 + 1 / 2)
    np.testing.assert_allclose(ends(stepped), (1.6, 1.6 - half, 1.6 + half), rtol=1e-12)
    assert found.reversal_levels == (2, 4)
    one = monotone_test([1, 2], [[1.0], [0.5]])
    assert (one.reversal.estimate, one.reversal_levels) == (0.5, (1, 2))
    assert math.isnan(one.reversal.low)
    assert math.isnan(one.p_value)


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_monotone_test_finds_no_reversal_where_there_is_none(slope):
    rng = generator("no reversal")
    centre = np.exp(-slope * np.arange(len(LEVELS)))
    found = [monotone_test(LEVELS, np.log(noisy(rng, centre, 5)), "decreasing") for _ in range(600)]
    # One end of a 95 % interval: at most 2.5 % where the curve is flat.
    false_rate = np.mean([f.reversal.low > 0 for f in found])
    assert false_rate < 0.025 + 4 * math.sqrt(0.025 * 0.975 / 600)
    p_values = np.array([f.p_value for f in found])
    assert (
        np.mean(p_values < 0.05) > 0.99 if slope else abs(np.mean(p_values < 0.05) - 0.05) < 0.036
    )


def test_monotone_test_leaves_out_what_is_missing_and_counts_it():
    y = noisy(generator("missing"), [1, 2, 3, 4], 4)
    found = monotone_test([1, 2, 3, 4], np.column_stack([y, [1, NAN, 2, 3]]))
    whole = monotone_test([1, 2, 3, 4], y)
    assert ends(found.reversal) == ends(whole.reversal)
    assert (found.n_seeds, found.reversal.n_missing, found.reversal.is_known) == (4, 1, False)
    # A level that misses in every seed might have been the one that reverses.
    without = monotone_test([1, 2, 3, 4, 9], np.vstack([y, np.full(4, NAN)]))
    assert (without.n_seeds, without.reversal.n_missing) == (0, 4)
    assert math.isnan(without.reversal.estimate)
    nothing = monotone_test([1, 2], [[NAN], [NAN]])
    assert (nothing.n_seeds, math.isnan(nothing.p_value)) == (0, True)
    diverged = monotone_test([1, 2, 3], [[1, 1], [INF, INF], [INF, 2]])
    assert math.isnan(diverged.reversal.low)


# ------------------------------------------------------------------ peaks


def bump(height):
    """First descent, a peak of `height` times the floor at 100, second descent."""
    centre = 1 / np.sqrt(LEVELS)
    return centre / centre[6] * np.where(np.arange(len(LEVELS)) == 6, height, 1.0)


def test_peak_test_measures_ratios_exactly_without_noise():
    y = np.array([4.0, 2.0, 3.0, 6.0, 3.0, 1.0])[:, None] * [1.0, 10.0, 0.1]
    found = peak_test([1, 10, 60, 110, 300, 1000], y, at=100)
    np.testing.assert_allclose(ends(found.left), (3, NAN, NAN), rtol=1e-12)
    np.testing.assert_allclose(ends(found.right), (6, NAN, NAN), rtol=1e-12)
    np.testing.assert_allclose(ends(found.beyond), (2, NAN, NAN), rtol=1e-12)
    assert (found.left_level, found.peak_level, found.right_level) == (10, 110, 1000)
    nearest = peak_test([1, 10, 400, 1000], y[[0, 1, 3, 5]], at=150, within=1)
    assert nearest.peak_level == 400
    np.testing.assert_allclose(ends(nearest.left), (3, NAN, NAN), rtol=1e-12)


def test_peak_test_counts_the_step_of_a_lattice():
    y = np.array([0.2, 0.6, 0.3])[:, None] * np.ones(4)
    found = peak_test([1, 100, 1000], y, at=100, step=0.01)
    half = stats.t.ppf(0.975, 3) * (0.01 / 0.2) * math.sqrt(1 / 4 + 1 / 3)
    np.testing.assert_allclose(ends(found.left), 3 * np.exp([0, -half, half]), rtol=1e-12)


def test_peak_test_tells_where_a_curve_is_higher_on_the_right():
    rng = generator("beyond")
    y = noisy(rng, np.array([2.0, 1.0, 1.5, 2.0, 4.0, 1.0]), 6, 0.02)
    found = peak_test([1, 10, 60, 110, 300, 1000], y, at=100)
    assert found.left.low > 1.5
    assert found.right.low > 1.5
    assert found.beyond.high < 0.6


@pytest.mark.parametrize("n_seeds", [2, 3, 5, 8])
@pytest.mark.parametrize("shape", ["flat", "falling", "rising"])
def test_peak_test_sees_no_peak_where_there_is_none(n_seeds, shape):
    rng = generator(f"no peak {shape} {n_seeds}")
    slope = {"flat": 0.0, "falling": -0.3, "rising": 0.3}[shape]
    found = [
        peak_test(LEVELS, noisy(rng, LEVELS**slope, n_seeds), at=100, within=3) for _ in range(500)
    ]
    left = np.array([f.left.low > 1 for f in found])
    right = np.array([f.right.low > 1 for f in found])
    # One end of a 95 % interval: 2.5 %, and four standard errors.
    allowed = 0.025 + 4 * math.sqrt(0.025 * 0.975 / 500)
    assert shape == "rising" or left.mean() < allowed
    assert shape == "falling" or right.mean() < allowed
    assert (left & right).mean() < 0.03


def test_choosing_on_the_same_seeds_would_have_seen_peaks():
    """The bound of the test above can be broken: the naive rule breaks it."""
    rng = generator("naive")
    false = []
    near, left = np.arange(5, 8), np.arange(5)
    for _ in range(500):
        y = noisy(rng, np.ones(10), 5)
        centre = np.log(y).mean(1)
        peak, best = near[centre[near].argmax()], left[centre[left].argmin()]
        false.append(paired_log_ratio(y[peak], y[best]).low > 1)
    assert np.mean(false) > 0.025 + 4 * math.sqrt(0.025 * 0.975 / 500)


def test_peak_test_sees_a_real_peak():
    rng = generator("peak")
    found = [peak_test(LEVELS, noisy(rng, bump(3.0), 5), at=100) for _ in range(200)]
    assert np.mean([f.left.low > 1 and f.right.low > 1 for f in found]) > 0.95
    assert {f.peak_level for f in found} == {LEVELS[6]}


@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_peak_test_interval_covers_as_often_as_its_correction_says(n_seeds):
    rng = generator("peak cover")
    found = [peak_test(LEVELS, noisy(rng, bump(9.0), n_seeds, 0.05), at=100) for _ in range(500)]
    # The levels are clear, so the log-ratios are independent, and the interval is a plain t
    # interval that was made longer by sqrt(1 + n / (n - 1)).
    truth = 9 * math.sqrt(LEVELS[-1] / LEVELS[6])
    longer = stats.t.ppf(0.975, n_seeds - 1) * math.sqrt(1 + n_seeds / (n_seeds - 1))
    expected = 2 * stats.t.sf(longer, n_seeds - 1)
    rate = misses([f.right for f in found], truth)
    assert abs(rate - expected) < 4 * math.sqrt(expected * (1 - expected) / 500)


def test_peak_test_with_gaps():
    y = np.array([4.0, 2.0, 6.0, 1.0])[:, None] * [1.0, 10.0, 0.1, 5.0]
    y[2, 0] = NAN  # the peak of one seed
    y[1, 1] = NAN  # the left side of another
    found = peak_test([1, 10, 100, 1000], y, at=100)
    np.testing.assert_allclose(ends(found.left), (3, NAN, NAN), rtol=1e-12)
    assert (found.left.n, found.right.n) == (2, 3)
    assert (found.left.n_missing, found.right.n_missing) == (2, 1)
    no_left = peak_test([100, 1000], y[2:], at=100)
    assert math.isnan(no_left.left.estimate)
    assert math.isnan(no_left.left_level)
    assert no_left.left.n_missing == 0  # the design has nothing there
    all_missing = peak_test([1, 100, 1000], np.full((3, 2), NAN), at=100)
    assert math.isnan(all_missing.peak_level)
    one = peak_test([1, 100, 1000], [[1], [3], [2]], at=100)
    assert one.left.estimate == pytest.approx(3)
    assert math.isnan(one.left.low)


def test_peak_test_never_concludes_from_diverged_or_zero_values():
    diverged = peak_test([1, 100, 1000], [[1, 1], [INF, 3], [2, 2]], at=100)
    assert math.isnan(diverged.left.low)
    zero = [[0.0, 0.0], [3, 3], [2, 2]]
    assert math.isnan(peak_test([1, 100, 1000], zero, at=100).left.low)
    floored = peak_test([1, 100, 1000], zero, at=100, floor=1.5)
    np.testing.assert_allclose(ends(floored.left), (2, NAN, NAN), rtol=1e-12)


@pytest.mark.parametrize(
    ("levels", "matrix", "more", "match"),
    [
        ([1, 2], [[1], [2], [3]], {}, r"do not fit; got '\[2\] and \[3, 1\]'"),
        ([], np.zeros((0, 1)), {}, "do not fit"),
        ([2, 1], [[1], [2]], {}, "levels must ascend"),
        ([0, 1], [[1], [2]], {}, "levels is out of range"),
        ([1, 2], [[1], [-2]], {}, "values >= 0"),
        ([1, 2], [[1], [2]], {"at": 0}, "at is out of range"),
        ([1, 2], [[1], [2]], {"within": 0.5}, "within is out of range"),
    ],
)
def test_peak_test_refuses(levels, matrix, more, match):
    with pytest.raises(UsageError, match=match):
        peak_test(levels, matrix, **({"at": 1} | more))


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
