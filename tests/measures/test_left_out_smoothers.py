"""Neighbours, other smoothers and labels left out: refits by brute force and by scikit-learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

from overparam.errors import DataError, UsageError
from overparam.measures import (
    leaf_smoother,
    leave_one_out_memorization,
    leave_one_out_neighbors,
    leave_one_out_ridge,
    leave_one_out_smoother,
    linear_smoother,
)
from overparam.measures.leave_one_out import LeaveOneOut
from overparam.measures.left_out_smoothers import OWN_WEIGHT_ONE
from overparam.models import neighbors as neighbors_module


def draw(n, p=3, k=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, p)), rng.standard_normal((n, k))


@pytest.mark.parametrize("k", [1, 3, 11])
@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "chebyshev"])
def test_neighbors_are_scikit_learns(k, metric):
    x, y = draw(12)
    found = leave_one_out_neighbors(x, y, k, metric=metric)
    peer = KNeighborsRegressor(k, metric=metric)
    np.testing.assert_allclose(found.with_row, peer.fit(x, y).predict(x), rtol=1e-12)
    for i in range(12):
        kept = np.arange(12) != i
        expected = peer.fit(x[kept], y[kept]).predict(x[i : i + 1])[0]
        np.testing.assert_allclose(found.without_row[i], expected, rtol=1e-12)
    np.testing.assert_allclose(found.own_weight, 1 / k)
    np.testing.assert_allclose(
        KNeighborsClassifier(k).fit(x, y[:, 0] > 0).predict_proba(x)[:, 1],
        leave_one_out_neighbors(x, y[:, 0] > 0, k).with_row[:, 0],
        atol=1e-12,
    )


def mean_over_all_ways_to_break_ties(x, y, i, k, others):
    # Drawing among the tied rows with equal chances: the mean over many shuffles of the order.
    distances = np.abs(x[others] - x[i]).sum(1)
    rng = np.random.default_rng(0)
    picks = [others[np.lexsort((rng.random(len(others)), distances))[:k]] for _ in range(4000)]
    return np.mean([y[pick].mean() for pick in picks])


def test_ties_share_their_votes():
    x = np.array([[0.0], [1.0], [1.0], [-1.0], [2.0], [0.0]])
    y = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    found = leave_one_out_neighbors(x, y, 2)
    for i in range(6):
        everyone, others = np.arange(6), np.delete(np.arange(6), i)
        for values, rows in [(found.with_row, everyone), (found.without_row, others)]:
            expected = mean_over_all_ways_to_break_ties(x, y, i, 2, rows)
            assert values[i, 0] == pytest.approx(expected, abs=0.6)  # 4 sd of 4,000 draws
    # Row 0: its twin is nearest; 1, 2 and 3 share the other vote.
    assert found.without_row[0, 0] == pytest.approx((32 + (2 + 4 + 8) / 3) / 2)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 5))
def test_the_order_of_the_rows_does_not_matter(seed, k):
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 3, (7, 2)), rng.integers(0, 2, 7)
    order = rng.permutation(7)
    base, found = leave_one_out_neighbors(x, y, k), leave_one_out_neighbors(x[order], y[order], k)
    np.testing.assert_allclose(found.without_row, base.without_row[order], atol=1e-12)
    np.testing.assert_allclose(found.with_row, base.with_row[order], atol=1e-12)


def test_blocks_change_nothing(monkeypatch):
    x, y = draw(20)
    whole = leave_one_out_neighbors(x, y, 4)
    monkeypatch.setattr(neighbors_module, "_ENTRIES", 60)
    blocks = leave_one_out_neighbors(x, y, 4)
    np.testing.assert_allclose(whole.without_row, blocks.without_row, rtol=1e-13)
    np.testing.assert_array_equal(whole.own_weight, blocks.own_weight)


def test_smoothers_of_penalized_fits_are_their_refits():
    x, y = draw(15)
    smoother = linear_smoother(torch.from_numpy(x), torch.from_numpy(x), 0.7)
    found = leave_one_out_smoother(smoother, y)
    expected = leave_one_out_ridge(x, y, 0.7)
    np.testing.assert_allclose(found.without_row, expected.without_row, rtol=1e-9)
    np.testing.assert_allclose(found.own_weight, expected.own_weight, rtol=1e-9)

    def refit(i):
        kept = np.arange(15) != i
        return Ridge(0.7, fit_intercept=False).fit(x[kept], y[kept]).predict(x[i : i + 1])

    again = leave_one_out_smoother(smoother, y, refit=refit)
    np.testing.assert_array_equal(again.without_row, found.without_row)


def test_renormalized_smoothers_are_their_refits():
    x, y = draw(15)
    weights = np.exp(-((x[:, None] - x[None]) ** 2).sum(2))
    found = leave_one_out_smoother(weights / weights.sum(1, keepdims=True), y, "renormalized")
    np.fill_diagonal(weights, 0)
    np.testing.assert_allclose(
        found.without_row, weights @ y / weights.sum(1, keepdims=True), rtol=1e-9
    )


def test_a_leaf_of_one_row_is_unknown():
    x, y = draw(15)
    tree = DecisionTreeRegressor(max_leaf_nodes=4, random_state=0).fit(x, y)
    leaves = tree.apply(x)
    leaves[3] = 99
    found = leave_one_out_smoother(leaf_smoother(leaves, leaves), y, "renormalized")
    assert np.isnan(found.without_row[3]).all()
    n_alone = sum((leaves == leaf).sum() == 1 for leaf in leaves)
    assert found.unknown == {OWN_WEIGHT_ONE: n_alone}
    twins = [i for i in range(15) if leaves[i] == leaves[0] and i != 0]
    np.testing.assert_allclose(found.without_row[0], y[twins].mean(0))


def neighbor_smoother(x, k):
    return leave_one_out_neighbors(x, np.eye(len(x)), k).with_row


def test_neighbors_are_refused_as_smoothers():
    x, y = draw(12)
    smoother = neighbor_smoother(x, 3)
    with pytest.raises(DataError, match=r"symmetric; of this one the shortcut is not true"):
        leave_one_out_smoother(smoother, y)
    # They look renormalized; a refit tells that they are not.
    left_out = leave_one_out_neighbors(x, y, 3).without_row
    assert not np.allclose(
        leave_one_out_smoother(smoother, y, "renormalized").without_row, left_out
    )
    with pytest.raises(DataError, match="a refit without row"):
        leave_one_out_smoother(smoother, y, "renormalized", refit=lambda i: left_out[i])
    with pytest.raises(DataError, match="a refit without row"):
        leave_one_out_smoother(smoother, y, "renormalized", refit=lambda i: 0.0)


def test_rows_whose_own_weight_is_one_are_not_asked_for():
    asked = []

    def refit(i):
        asked.append(i)
        return 0.0

    found = leave_one_out_smoother(np.diag([1.0, 0.0, 0.0]), np.zeros(3), refit=refit)
    assert sorted(asked) == [1, 2]
    assert np.isnan(found.without_row[0, 0])


def by_hand(with_row, without_row):
    n = len(with_row)
    return LeaveOneOut(np.array(with_row), np.array(without_row), np.zeros(n), {})


def test_label_memorization_by_hand():
    found = leave_one_out_memorization(
        by_hand(
            [[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.4, 0.4, 0.2], [1.0, 0.0, 0.0]],
            [[0.1, 0.8, 0.1], [0.2, 0.6, 0.2], [0.3, 0.3, 0.3], [np.nan] * 3],
        ),
        torch.tensor([0, 1, 1, 0]),
    )
    np.testing.assert_allclose(found.correct_with, [1, 1, 0.5, 1])
    np.testing.assert_allclose(found.correct_without, [0, 1, 1 / 3, np.nan])
    np.testing.assert_allclose(found.score, [1, 0, 1 / 6, np.nan])
    np.testing.assert_allclose(found.margin_gain, [1.5, 0.1, 0.0, np.nan], atol=1e-12)
    np.testing.assert_allclose(found.margin_with - found.margin_without, found.margin_gain)


def test_flipped_labels_of_one_hot_least_squares_are_memorized():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    x = np.eye(3)[labels] @ rng.standard_normal((3, 40)) + 0.3 * rng.standard_normal((90, 40))
    labels[:4] = (labels[:4] + 1) % 3
    y = np.eye(3)[labels]
    score = leave_one_out_memorization(leave_one_out_ridge(x, y, 0.01), labels)
    assert score.correct_without[:4].max() == 0
    assert score.score[4:].mean() < 0.05
    assert set(np.argsort(score.margin_without)[:4]) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: leave_one_out_neighbors(np.ones((3, 1)), [1, 2, 3], 3), DataError, "fewer rows"),
        (lambda: leave_one_out_neighbors(np.ones((3, 1)), [1, 2, 3], 0), UsageError, "n_neighbors"),
        (
            lambda: leave_one_out_neighbors(np.eye(3), [1, 2, 3], 1, metric="cosine"),
            UsageError,
            "unknown metric",
        ),
        (
            lambda: leave_one_out_neighbors(1e200 * np.eye(3), [1, 2, 3], 1),
            DataError,
            "distances between rows overflow",
        ),
        (lambda: leave_one_out_smoother(np.eye(3), [1, 2, 3], "loo"), UsageError, "unknown rule"),
        (lambda: leave_one_out_smoother(np.ones((3, 2)), [1, 2, 3]), DataError, "is square"),
        (lambda: leave_one_out_smoother(2 * np.eye(3), [1, 2, 3]), DataError, "eigenvalues in"),
        (
            lambda: leave_one_out_smoother(2 * np.eye(3), [1, 2, 3], "renormalized"),
            DataError,
            "weights >= 0 that sum to 1",
        ),
        (
            lambda: leave_one_out_memorization(by_hand([[1.0]], [[1.0]]), [0]),
            DataError,
            "one output per class.*one-hot",
        ),
        (
            lambda: leave_one_out_memorization(by_hand([[1.0, 0]], [[1.0, 0]]), [2]),
            DataError,
            r"index the columns.*0\.\.1",
        ),
        (
            lambda: leave_one_out_memorization(by_hand([[1.0, 0]], [[1.0, 0]]), [0, 1]),
            DataError,
            "labels are of another number of rows",
        ),
    ],
)
def test_errors(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
