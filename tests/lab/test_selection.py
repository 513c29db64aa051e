"""Peaks and reversals at chosen levels: exact without noise, never made by the choice."""

import math

import numpy as np
import pytest
from scipy import stats

from overparam.errors import UsageError
from overparam.lab.intervals import mean_interval
from overparam.lab.selection import largest_interval, largest_reversal, smallest_interval
from overparam.lab.statistics import monotone_test, paired_log_ratio, peak_test
from overparam.phenomena.double_descent._rules import largest_rise, over_each
from tests.lab.test_statistics import INF, NAN, ends, generator, misses, noisy

LEVELS = np.geomspace(1, 1000, 10)

# ------------------------------------------------------------------ the largest of several


@pytest.mark.parametrize("n_seeds", [2, 3, 5, 10])
@pytest.mark.parametrize("shape", ["equal", "one above", "staircase"])
def test_largest_interval_misses_on_neither_side(n_seeds, shape):
    rng = generator(f"largest {shape} {n_seeds}")
    centre = {
        "equal": np.zeros(8),
        "one above": 0.4 * (np.arange(8) == 5),
        "staircase": 0.2 * np.arange(8),
    }[shape][:, None]
    found = [
        largest_interval(centre + rng.standard_normal((8, n_seeds)) * (1 + 0.2 * centre))
        for _ in range(500)
    ]
    allowed = 0.025 + 4 * math.sqrt(0.025 * 0.975 / 500)
    assert np.mean([f.low > centre.max() for f in found]) < allowed
    assert np.mean([f.high < centre.max() for f in found]) < allowed


def test_each_choice_alone_would_have_missed_on_one_side():
    """The bounds of the test above can be broken: both naive intervals break them."""
    rng = generator("largest, naive")
    above, below = [], []
    for _ in range(500):
        y = rng.standard_normal((8, 10)) + 0.4 * (np.arange(8) == 5)[:, None]
        above.append(mean_interval(y.max(0)).low > 0.4)  # each seed chooses its own
        chosen = [y[np.delete(y, s, 1).mean(1).argmax(), s] for s in range(10)]
        below.append(mean_interval(chosen).high < 0.4)
    allowed = 0.025 + 4 * math.sqrt(0.025 * 0.975 / 500)
    assert np.mean(above) > allowed
    assert np.mean(below) > allowed


def test_largest_interval_of_what_is_missing_alone_or_diverged():
    y = noisy(generator("largest, gaps"), [1, 2, 4], 5)
    whole = largest_interval(y)
    gap = largest_interval(np.column_stack([y, [1, NAN, 2]]))
    assert (ends(gap), gap.n_missing, gap.is_known) == (ends(whole), 1, False)
    assert ends(smallest_interval(-y)) == (-whole.estimate, -whole.high, -whole.low)
    one = largest_interval([[1.0], [3.0]])
    assert (one.estimate, math.isnan(one.low), math.isnan(one.high)) == (3, True, True)
    assert largest_interval(np.zeros((0, 3))).n == 3
    assert math.isnan(largest_interval(np.zeros((0, 3))).estimate)
    diverged = largest_interval([[1, 2, 3], [1, INF, 2]])
    assert math.isnan(diverged.low)
    assert not diverged.high < INF


def test_largest_reversal_is_the_largest_of_all_pairs():
    y = noisy(generator("pairs"), [1, 3, 2, 4, 2.5], 6)
    pairs = [y[i] - y[j] for i in range(5) for j in range(i + 1, 5)]
    assert ends(largest_reversal(y)) == ends(largest_interval(pairs))
    assert math.isnan(largest_reversal([[1.0, 2.0]]).estimate)  # of one level


def test_a_pair_has_the_step_of_its_own_levels():
    """High levels elsewhere in the sweep, of which a row is a small part, shrink nothing."""
    n_test = 500
    errors = np.array([0.5, 0.3, 0.1, 2 / n_test, 2 / n_test])[:, None] * np.ones(4)
    half = stats.t.ppf(0.975, 3) * 0.5  # a row more or less, of two
    expected = np.exp([0, -half * math.sqrt(1 / 4 + 1 / 3), half / 2])
    for levels in (errors, errors[-2:]):
        np.testing.assert_allclose(ends(largest_rise(levels, 1 / n_test)), expected, rtol=1e-12)
    # Of errors over others, every level has its own.
    over = over_each(errors[-1], errors[:-1], 1 / n_test)
    np.testing.assert_allclose(ends(over), expected, rtol=1e-12)
    # A peak over a side: that of the side's best, whatever the side holds beside it.
    y = np.array([0.5, 2 / n_test, 0.4, 0.3])[:, None] * np.ones(4)
    found = peak_test([1, 10, 100, 1000], y, at=100, step=1 / n_test)
    assert found.left.low == pytest.approx(100 * math.exp(-half * math.sqrt(1 / 4 + 1 / 3)))
    assert found.right.low > 1.3  # 0.4 over 0.3, of 500: known to some per cent


def test_a_control_that_rises_by_a_row_is_rarely_told_to_fall():
    """Two wrong rows, or three in a third of the seeds: a rise of 1.16, and seeds that agree."""
    rng, n_test = generator("lattice"), 500
    fall = np.array([0.5, 0.3, 0.1, 0.02, 2 / n_test, 2 / n_test])
    below = 0
    for _ in range(400):
        errors = fall[:, None] * np.ones(4)
        errors[-1] = (2 + (rng.random(4) < 0.36)) / n_test
        below += largest_rise(errors, 1 / n_test).high < 1.15
    assert below == 0


# ------------------------------------------------------------------ monotone curves


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
    half = stats.t.ppf(0.975, 2) * 0.01
    low, high = 1.6 - half * math.sqrt(1 / 3 + 1 / 2), 1.6 + half * math.sqrt(1 / 3)
    np.testing.assert_allclose(ends(stepped), (1.6, low, high), rtol=1e-12)
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


def test_peak_test_tells_where_a_curve_is_higher_on_the_left_after_its_lowest():
    rng = generator("before")
    y = noisy(rng, np.array([9.0, 1.0, 4.0, 2.0, 1.5, 1.0]), 6, 0.02)
    found = peak_test([1, 5, 20, 60, 110, 1000], y, at=100)
    assert found.left.low > 1.5  # over the lowest
    assert 0.45 < found.before.estimate < found.before.high < 0.6  # over 4, not over the first 9
    assert found.beyond.low > 1
    ends_low = peak_test([1, 5, 60, 110, 1000], y[[0, 1, 3, 4, 5]], at=100)
    assert ends_low.before == ends_low.left  # nothing stands between the lowest and the peak


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
