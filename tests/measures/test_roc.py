"""ROC and AUC: brute force, scikit-learn, Gaussian worlds, coverage, null worlds, ties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics

from overparam.errors import DataError, UsageError
from overparam.measures import estimate_auc, roc_curve
from overparam.theory import GaussianShift


def world(rng, gap, n_members, n_others):
    scores = np.r_[rng.normal(gap, 1, n_members), rng.normal(0, 1, n_others)]
    return scores, np.arange(len(scores)) < n_members


def targets_world(rng, gap, n_targets, n_rows, of_row=0.0, of_target=0.0):
    """Scores of targets on the same rows: gaps that differ by row and by target."""
    members = rng.random((n_targets, n_rows)) < 0.5
    gaps = gap + of_row * rng.normal(size=n_rows) + of_target * rng.normal(size=(n_targets, 1))
    return members * gaps + rng.normal(size=members.shape), members


def brute_force_auc(scores, members):
    pairs = [np.sign(a - b) for a in scores[members] for b in scores[~members]]
    return 0.5 + 0.5 * float(np.mean(pairs))


def brute_force_delong(scores, members):
    kernel = 0.5 + 0.5 * np.sign(scores[members][:, None] - scores[~members][None])
    m, n = kernel.shape
    return math.sqrt(kernel.mean(1).var(ddof=1) / m + kernel.mean(0).var(ddof=1) / n)


tied = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=4, max_size=30).filter(
    lambda rows: 2 <= sum(m for _, m in rows) <= len(rows) - 2
)


@given(tied)
def test_auc_and_its_error_by_brute_force_with_ties(rows):
    scores, members = np.array([s for s, _ in rows], float), np.array([m for _, m in rows])
    found = estimate_auc(scores, members)
    assert found.auc == pytest.approx(brute_force_auc(scores, members), abs=1e-12)
    assert found.standard_error == pytest.approx(brute_force_delong(scores, members), abs=1e-12)
    assert 0 <= found.low <= found.auc <= found.high <= 1


@given(tied)
def test_the_curve_is_scikit_learns(rows):
    scores, members = np.array([s for s, _ in rows], float), np.array([m for _, m in rows])
    found = roc_curve(scores, members)
    fpr, tpr, thresholds = metrics.roc_curve(members, scores, drop_intermediate=False)
    np.testing.assert_allclose(found.fpr, fpr)
    np.testing.assert_allclose(found.tpr, tpr)
    np.testing.assert_array_equal(found.thresholds, thresholds)
    assert np.trapezoid(found.tpr, found.fpr) == pytest.approx(estimate_auc(scores, members).auc)


@given(tied)
def test_rising_functions_of_the_scores_change_nothing(rows):
    scores, members = np.array([s for s, _ in rows], float), np.array([m for _, m in rows])
    plain, curved = (estimate_auc(f, members) for f in (scores, np.exp(scores) - 7))
    assert plain == curved
    turned = estimate_auc(-scores, members)
    np.testing.assert_allclose(
        [turned.auc, turned.low, turned.high],
        [1 - plain.auc, 1 - plain.high, 1 - plain.low],
        atol=1e-9,
    )


def test_infinite_scores_are_the_ends_and_nan_is_left_out():
    scores = np.array([np.inf, 0.0, -np.inf, np.nan])
    members = np.array([True, False, False, True])
    found = estimate_auc(scores, members)
    assert (found.auc, found.n_members, found.n_nonmembers, found.n_unknown) == (1.0, 1, 2, 1)
    assert roc_curve(scores, members).thresholds.tolist() == [np.inf, np.inf, 0.0, -np.inf]


def test_tensors_and_lists_of_ones():
    scores, members = torch.tensor([1.0, 2.0, 3.0]).bfloat16(), [0, 1, 1]
    assert estimate_auc(scores, members).auc == 1.0


def test_gaussian_worlds_have_their_auc():
    rng = np.random.default_rng(0)
    for gap in (0.5, 1.0, 2.0):
        found = estimate_auc(*world(rng, gap, 20_000, 20_000))
        assert abs(found.auc - GaussianShift(gap).auc) < 4 * found.standard_error


@pytest.mark.parametrize(
    ("gap", "m", "n"), [(0, 30, 30), (1, 30, 30), (2, 20, 200), (3, 20, 200), (3, 200, 20)]
)
def test_the_interval_of_one_target_covers(gap, m, n):
    # 93 % at nominal 95 %, less 2 standard errors of 600 repetitions.
    rng, truth = np.random.default_rng(1), GaussianShift(gap).auc
    found = [estimate_auc(*world(rng, gap, m, n)) for _ in range(600)]
    assert np.mean([e.low <= truth <= e.high for e in found]) > 0.93 - 2 * math.sqrt(0.0651 / 600)


def test_delongs_interval_alone_would_not_cover_with_few_members():
    rng, truth, hits = np.random.default_rng(1), GaussianShift(3.0).auc, 0
    for _ in range(300):
        e = estimate_auc(*world(rng, 3.0, 20, 200))
        half = 1.96 * e.standard_error / max(e.auc * (1 - e.auc), 1e-12)
        hits += abs(special.logit(min(e.auc, 1 - 1e-12)) - special.logit(truth)) <= half
    assert hits / 300 < 0.91


@pytest.mark.parametrize(("of_row", "of_target"), [(0, 0), (1, 0), (0, 0.5), (1, 0.5)])
@pytest.mark.parametrize("n_targets", [3, 12])
def test_the_interval_of_several_targets_covers(of_row, of_target, n_targets):
    rng = np.random.default_rng(2)
    scale = math.sqrt(2 + of_row**2 + of_target**2)
    truth = GaussianShift(math.sqrt(2) / scale).auc
    found = [
        estimate_auc(*targets_world(rng, 1.0, n_targets, 100, of_row, of_target))
        for _ in range(300)
    ]
    cover = np.mean([e.low <= truth <= e.high for e in found])
    assert cover > 0.93 - 2 * math.sqrt(0.0651 / 300)


def test_entries_taken_for_independent_would_not_cover():
    rng = np.random.default_rng(3)
    truth, hits, naive = GaussianShift(1 / math.sqrt(1.125)).auc, 0, 0
    for _ in range(200):
        scores, members = targets_world(rng, 1.0, 12, 100, of_target=0.5)
        e, flat = estimate_auc(scores, members), estimate_auc(scores.ravel(), members.ravel())
        hits += e.low <= truth <= e.high
        naive += flat.low <= truth <= flat.high
    assert naive < 160 < 180 < hits


def test_a_target_whose_scores_all_lie_high_is_no_attack():
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(2, 2000)) + np.array([[0.0], [10.0]])
    members = rng.random((2, 2000)) < np.array([[0.1], [0.9]])
    assert metrics.roc_auc_score(members.ravel(), scores.ravel()) > 0.8
    found = estimate_auc(scores, members)
    assert found.low < 0.5 < found.high


def test_null_worlds_are_rarely_above_a_half():
    rng = np.random.default_rng(5)
    above = [estimate_auc(*world(rng, 0, 40, 60)).low > 0.5 for _ in range(800)]
    several = [estimate_auc(*targets_world(rng, 0, 5, 60)).low > 0.5 for _ in range(400)]
    assert np.mean(above) < 0.025 + 2 * math.sqrt(0.025 * 0.975 / 800)
    assert np.mean(several) < 0.025 + 2 * math.sqrt(0.025 * 0.975 / 400)


def test_perfect_separation_has_an_interval():
    found = estimate_auc(np.arange(20.0), np.arange(20) >= 10)
    assert (found.auc, found.high, found.standard_error) == (1.0, 1.0, 0.0)
    # Newcombe's score bound a: (1 - a)^2 = z^2 a (1 - a)(1 + 9 ((1 - a)/(2 - a) + a/(1 + a)))/100
    a, z = found.low, 1.959963984540054
    shape = 1 + 9 * ((1 - a) / (2 - a) + a / (1 + a))
    assert (1 - a) ** 2 == pytest.approx(z**2 * a * (1 - a) * shape / 100)
    both = estimate_auc(np.stack([np.arange(20.0)] * 2), np.stack([np.arange(20) >= 10] * 2))
    assert (both.low, both.auc, both.high) == (found.low, 1.0, 1.0)


def test_a_target_of_one_kind_is_left_out():
    scores = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [np.nan] * 3])
    members = np.array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
    found = estimate_auc(scores, members)
    assert (found.auc, found.n_targets, found.n_members, found.n_unknown) == (1.0, 1, 2, 3)
    with pytest.raises(DataError, match="no target has both members and others"):
        estimate_auc(np.array([[1.0, 2.0], [1.0, 2.0]]), np.array([[1, 1], [0, 0]]))


def test_the_log_scale_starts_where_ten_non_members_are():
    rng = np.random.default_rng(6)
    curve = roc_curve(*world(rng, 1.0, 500, 1000))
    fpr, tpr = curve.on_log_scale(50)
    assert (fpr[0], fpr[-1], tpr[-1]) == (pytest.approx(0.01), 1.0, 1.0)
    np.testing.assert_allclose(np.diff(np.log(fpr)), np.log(100) / 49)
    by_hand = [curve.tpr[curve.fpr <= f + 1e-9].max() for f in fpr]
    np.testing.assert_array_equal(tpr, by_hand)
    with pytest.raises(UsageError, match="n_points is out of range"):
        curve.on_log_scale(1)
    with pytest.raises(DataError, match="too few non-members for a logarithmic axis; got 10"):
        roc_curve(*world(rng, 1.0, 5, 10)).on_log_scale()


@pytest.mark.parametrize(
    ("scores", "members", "words"),
    [
        ([1.0, 2.0], [True, True], "only one kind of rows.*2 members and 0 others"),
        ([1.0, np.nan], [True, False], "only one kind of rows.*1 without"),
        ([1.0, 2.0], [True], "scores and membership do not fit"),
        ([[[1.0]]], [[[True]]], "scores and membership do not fit"),
        ([1.0, 2.0], [0, 2], "a mask says of each row.*between 0 and 2.*make a mask"),
        (["a", "b"], [0, 1], "an array of numbers is needed"),
    ],
)
def test_hostile_input(scores, members, words):
    for measure in (roc_curve, estimate_auc):
        with pytest.raises(DataError, match=words):
            measure(np.array(scores), np.array(members))


def test_confidence_out_of_range():
    with pytest.raises(UsageError, match="confidence is out of range"):
        estimate_auc(np.array([1.0, 2.0]), np.array([0, 1]), confidence=1.0)


def test_whole_numbers_that_floating_ones_cannot_tell_apart():
    large = 2**60 + np.arange(8)
    members = np.arange(8) % 2 == 0
    with pytest.raises(DataError, match="scores differ that are equal as floating numbers"):
        estimate_auc(large, members)
    assert estimate_auc(large - large.min(), members).auc == estimate_auc(np.arange(8), members).auc
    assert estimate_auc(2**60 + 1024 * np.arange(8), members).auc == 0.375
