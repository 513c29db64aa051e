"""TPR at a given FPR and advantage: brute force, Gaussian worlds, coverage, refusals, ties."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from overparam.errors import DataError, UsageError
from overparam.measures import estimate_advantage, estimate_tpr_at_fpr, roc_curve
from overparam.measures.clustering import binomial_counts, clustered_rate
from overparam.theory import GaussianShift
from tests.measures.test_roc import targets_world, world

LEAST = 0.93 - 2 * math.sqrt(0.93 * 0.07 / 400)  # coverage of 400 intervals at nominal 95 %


def covers(found, truth):
    return np.mean([e.low <= truth <= e.high for e in found])


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 0.25, 0.5]), st.booleans())
def test_tpr_is_the_largest_at_no_more_than_the_fpr(seed, fpr, coarse):
    rng = np.random.default_rng(seed)
    scores, members = world(rng, 1.0, 30, 110)
    scores = np.round(scores) if coarse else scores
    found, curve = estimate_tpr_at_fpr(scores, members, fpr), roc_curve(scores, members)
    assert found.tpr == pytest.approx(curve.tpr[curve.fpr <= fpr].max(), abs=1e-12)
    assert found.n_above == (scores[~members] > found.threshold).sum() <= fpr * 110
    assert 0 <= found.low <= found.tpr <= found.high <= 1
    moved = estimate_tpr_at_fpr(np.exp(scores / 3), members, fpr)
    assert (moved.tpr, moved.low, moved.high) == (found.tpr, found.low, found.high)


@pytest.mark.parametrize(("gap", "m", "n", "fpr"), [
    (0.0, 1000, 1000, 0.01),
    (1.0, 50, 1000, 0.01),
    (2.0, 1000, 1000, 0.01),
    (2.0, 2000, 100, 0.1),
    (3.0, 300, 300, 0.1),
])  # fmt: skip
def test_the_interval_of_tpr_covers(gap, m, n, fpr):
    rng = np.random.default_rng(0)
    found = [estimate_tpr_at_fpr(*world(rng, gap, m, n), fpr) for _ in range(400)]
    assert covers(found, GaussianShift(gap).tpr_at_fpr(fpr)) > LEAST


def test_the_interval_covers_where_scores_are_tied():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(400):
        scores, members = world(rng, 1.0, 300, 1000)
        found.append(estimate_tpr_at_fpr(np.round(scores), members, 0.01))
    # P(round(N(0, 1)) > 2) = .6 %, > 1: 6.7 %: the lowest threshold allowed at 1 % is 2.
    assert covers(found, stats.norm.sf(2.5 - 1)) > LEAST


def test_the_threshold_is_part_of_the_doubt():
    # Many members, few others: the members' share above a *given* threshold is known to 1 %.
    rng = np.random.default_rng(2)
    found = estimate_tpr_at_fpr(*world(rng, 2.0, 100_000, 200), 0.05)
    assert found.high - found.low > 0.15


@pytest.mark.parametrize(("of_row", "of_target"), [(0, 0), (1, 0), (0, 0.5)])
def test_the_interval_of_several_targets_covers(of_row, of_target):
    rng = np.random.default_rng(3)
    truth = stats.norm.sf((stats.norm.isf(0.1) - 1) / math.sqrt(1 + of_row**2 + of_target**2))
    found = [
        estimate_tpr_at_fpr(*targets_world(rng, 1.0, 8, 100, of_row, of_target), 0.1)
        for _ in range(400)
    ]
    assert covers([e for e in found if not e.reason], truth) > LEAST


@pytest.mark.parametrize(("n", "fpr", "needed"), [(9_999, 0.001, 10_000), (999, 0.01, 1000)])
def test_a_rate_that_the_sample_cannot_resolve_is_refused_with_the_reason(n, fpr, needed):
    rng = np.random.default_rng(4)
    found = estimate_tpr_at_fpr(*world(rng, 1.0, 500, n), fpr)
    assert found.reason == (
        f"an FPR of {fpr:g} is not resolved: it takes 10 non-members above the threshold, so "
        f"{needed} in all, and there are {n}"
    )
    assert np.isnan([found.tpr, found.low, found.high]).all()
    enough = estimate_tpr_at_fpr(*world(rng, 1.0, 500, n + 1), fpr)
    assert enough.reason == ""
    assert enough.n_above == 10


def test_many_targets_on_the_same_few_rows_resolve_no_more_than_the_rows():
    rng = np.random.default_rng(5)
    members = rng.random((50, 40)) < 0.5
    scores = np.tile(rng.normal(size=40), (50, 1)) + 1e-3 * rng.normal(size=(50, 40))
    found = estimate_tpr_at_fpr(scores, members, 0.02)
    assert math.isnan(found.tpr)
    assert "are of the same rows and targets, and worth" in found.reason
    fresh = rng.normal(size=(50, 40))  # as many entries, of rows that do not come back
    assert estimate_tpr_at_fpr(fresh, members, 0.02).reason == ""


@pytest.mark.parametrize(("n", "rate"), [(10, 0.5), (200, 0.05), (1000, 0.01), (50, 0.9)])
def test_binomial_counts_are_the_quantiles(n, rate):
    low, high = binomial_counts(n, float(n), rate, 0.975)
    c = np.arange(n + 1)
    assert low == c[stats.binom.cdf(c, n, rate) > 0.025].min()
    assert high == c[stats.binom.sf(c - 1, n, rate) > 0.025].max()
    half = binomial_counts(n, n / 2, rate, 0.975)  # worth half as many trials: wider
    assert half[0] <= low <= high <= half[1]


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (3, 20), (20, 20), (1, 1000)])
def test_bounds_of_one_target_are_clopper_and_pearsons(hits, n):
    rate = clustered_rate((np.arange(n) < hits)[None], np.ones((1, n), bool), 0.95)
    peer = stats.binomtest(hits, n).proportion_ci(0.95, "exact")
    np.testing.assert_allclose([rate.low(0.975), rate.high(0.975)], [peer.low, peer.high])


def test_copies_of_a_target_are_worth_no_more_than_one():
    rng = np.random.default_rng(6)
    one = rng.random((1, 500)) < 0.3
    many = clustered_rate(np.tile(one, (30, 1)), np.ones((30, 500), bool), 0.95)
    assert many.n_effective == pytest.approx(500, rel=0.01)
    nothing = clustered_rate(np.zeros((30, 500), bool), np.ones((30, 500), bool), 0.95)
    assert nothing.n_effective == 500


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_maximum_is_the_largest_difference(seed, coarse):
    rng = np.random.default_rng(seed)
    scores, members = world(rng, 1.0, 20, 30)
    scores = np.round(scores) if coarse else scores
    found, curve = estimate_advantage(scores, members), roc_curve(scores, members)
    assert found.maximum == pytest.approx((curve.tpr - curve.fpr).max(), abs=1e-12)
    # Each fifth has a threshold of its own: the five together may exceed the best single one.
    highest = max(found.advantage, found.maximum)
    assert found.low <= min(found.advantage, found.maximum)
    assert highest <= found.high + 1e-12 <= 1 + 1e-12
    assert estimate_advantage(np.exp(scores), members) == found


def test_the_advantage_has_no_bias_where_nothing_leaks_and_the_maximum_has():
    rng = np.random.default_rng(7)
    found = [estimate_advantage(*world(rng, 0, 100, 100)) for _ in range(400)]
    fair, top = np.array([[e.advantage, e.maximum] for e in found]).T
    assert abs(fair.mean()) < 4 * fair.std() / 20
    # sqrt(pi/8 (1/m + 1/n)) is the limit of large samples: 5 % too high at 100.
    assert abs(top.mean() - found[0].null_maximum) < 0.1 * found[0].null_maximum
    assert top.mean() > 0.07
    assert np.mean([e.low > 0 for e in found]) < 0.025 + 2 * math.sqrt(0.0244 / 400)


def test_the_low_end_of_the_advantage_lies_above_0_no_more_often_than_it_says():
    """Fifths that choose thresholds for each other would have it there in 5 %."""
    rng = np.random.default_rng(12)
    found = [estimate_advantage(*world(rng, 0, 300, 300)) for _ in range(1000)]
    assert np.mean([e.low > 0 for e in found]) < 0.025 + 2 * math.sqrt(0.0244 / 1000)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_the_low_end_measures_each_part_at_the_threshold_of_those_before_it(seed, m, n):
    rng = np.random.default_rng(seed)
    scores, members = world(rng, 1.0, m, n)
    part = np.random.default_rng(0).permutation(m + n) % 10  # of fewer rows, each by itself
    counts = np.zeros((2, 2))  # called or not, of members and of others
    for row in np.flatnonzero(part > 0):
        called = scores[row] >= best_by_brute_force(scores, members, part < part[row])
        counts[int(not members[row]), int(called)] += 1
    rates = counts[:, 1] / np.maximum(counts.sum(1), 1)
    expected = -1.0
    if counts.sum(1).all():
        (_, high), (low, _) = (
            stats.binomtest(int(c), int(k)).proportion_ci(0.95, "exact")
            for c, k in zip(counts[::-1, 1], counts[::-1].sum(1), strict=True)
        )
        expected = rates[0] - rates[1] - math.hypot(rates[0] - low, high - rates[1])
    found = estimate_advantage(scores, members)
    assert found.low == pytest.approx(min(expected, found.advantage, found.maximum), abs=1e-12)


def best_by_brute_force(scores, members, rows):
    x, y = scores[members & rows], scores[~members & rows]
    best, threshold = 0.0, math.inf
    for t in sorted(x) if len(y) else []:
        # Written as the measure writes it: which of equal gaps is largest, rounding says.
        gap = (1 - (x < t).sum() / len(x)) - (1 - (y < t).sum() / len(y))
        if gap > best:
            best, threshold = gap, t
    return threshold


@pytest.mark.parametrize(
    ("gap", "m", "n"), [(0.5, 30, 30), (1, 20, 200), (3, 30, 30), (2, 300, 300)]
)
def test_the_interval_of_the_advantage_covers(gap, m, n):
    rng = np.random.default_rng(8)
    found = [estimate_advantage(*world(rng, gap, m, n)) for _ in range(400)]
    assert covers(found, GaussianShift(gap).advantage) > LEAST


def test_the_advantage_of_several_targets_covers():
    rng = np.random.default_rng(9)
    found = [estimate_advantage(*targets_world(rng, 1.0, 8, 60, of_target=0.5)) for _ in range(200)]
    truth = GaussianShift(1.0)  # of members N(1, 1.25): the best threshold solves a quadratic
    t = np.linspace(-3, 4, 7001)
    best = (stats.norm.sf(t, 1, math.sqrt(1.25)) - stats.norm.sf(t)).max()
    assert best < truth.advantage
    assert covers(found, best) > LEAST


def test_balanced_accuracy_is_half_of_it_more():
    found = estimate_advantage(np.arange(40.0), np.arange(40) >= 20)
    assert found.balanced_accuracy == (1 + found.advantage) / 2
    assert found.maximum == 1.0


def test_equal_input_gives_equal_output_and_one_row_of_each_is_enough():
    rng = np.random.default_rng(10)
    scores, members = world(rng, 1.0, 50, 50)
    assert estimate_advantage(scores, members) == estimate_advantage(scores, members)
    one_of_each = estimate_advantage(np.array([2.0, 1.0]), np.array([1, 0]))
    assert (one_of_each.low, one_of_each.high) == (-1, 1)  # no row of each is left to measure


def test_the_interval_of_the_advantage_holds_it_where_nothing_leaks_too():
    rng = np.random.default_rng(11)
    found = [estimate_advantage(*world(rng, 0, m, 100)) for m in (5, 20, 100) for _ in range(40)]
    assert min(e.advantage for e in found) < 0
    assert all(e.low <= e.advantage <= e.high for e in found)
    assert all(e.low <= e.maximum <= e.high for e in found)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s, m: estimate_tpr_at_fpr(s, m, 0.0), "fpr is out of range"),
        (lambda s, m: estimate_tpr_at_fpr(s, m, 1.0), "fpr is out of range"),
        (lambda s, m: estimate_tpr_at_fpr(s, m, 0.5, 1.0), "confidence is out of range"),
        (lambda s, m: estimate_advantage(s, m, 0.0), "confidence is out of range"),
    ],
)
def test_numbers_out_of_range(call, words):
    with pytest.raises(UsageError, match=words):
        call(np.array([1.0, 2.0]), np.array([0, 1]))


def test_one_kind_alone_is_refused():
    for call in (lambda s, m: estimate_tpr_at_fpr(s, m, 0.1), estimate_advantage):
        with pytest.raises(DataError, match="only one kind of rows"):
            call(np.arange(5.0), np.ones(5, dtype=bool))
