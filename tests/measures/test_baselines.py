"""What rows say of themselves: brute force, and what does not matter."""

import numpy as np
import pandas as pd
import pytest
import torch

from overparam.errors import DataError
from overparam.measures import (
    class_distance,
    estimate_auc,
    hinge_margin,
    leave_one_out_neighbors,
    leave_one_out_ridge,
    neighbor_disagreement,
    rank_agreement,
    rank_label_errors,
)


def rows(seed=0, n=60):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    return rng.normal(size=(n, 2, 2)) + labels[:, None, None], labels


def test_disagreement_is_that_of_all_others_sorted_by_distance():
    x, y = rows()
    flat = x.reshape(len(x), -1)
    found = []
    for i in range(len(x)):
        distance = ((flat - flat[i]) ** 2).sum(1)
        distance[i] = np.inf
        found.append((y[np.argsort(distance)[:7]] != y[i]).mean())
    np.testing.assert_allclose(neighbor_disagreement(x, y, n_neighbors=7), found, atol=1e-12)


def test_distances_are_to_means_without_the_row():
    x, y = rows(1)
    flat = x.reshape(len(x), -1)
    for i, found in enumerate(class_distance(x, y)):
        others = np.arange(len(x)) != i
        own = np.linalg.norm(flat[i] - flat[others & (y == y[i])].mean(0))
        rest = [np.linalg.norm(flat[i] - flat[y == k].mean(0)) for k in {0, 1, 2} - {y[i]}]
        assert found == pytest.approx(own / min(rest), rel=1e-10)


@pytest.mark.parametrize("score", [neighbor_disagreement, class_distance])
def test_names_of_classes_and_order_of_rows_do_not_matter(score):
    x, y = rows(2)
    found, order = score(x, y), np.random.default_rng(0).permutation(len(x))
    np.testing.assert_allclose(score(torch.from_numpy(x[order]), y[order]), found[order])
    np.testing.assert_allclose(score(x, np.array([7, 10**12, 3])[y]), found)


@pytest.mark.parametrize("score", [neighbor_disagreement, class_distance])
def test_planted_errors_score_higher(score):
    x, y = rows(3, 400)
    wrong = np.arange(400) < 20
    given = np.where(wrong, (y + 1) % 3, y)
    assert np.mean(score(5 * y[:, None, None] + x, given)[wrong]) > 2 * np.mean(
        score(5 * y[:, None, None] + x, given)[~wrong]
    )


@pytest.mark.parametrize("score", [neighbor_disagreement, class_distance])
@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (["a", "b"], [0, 1], "must be real numbers"),
        ([[0.0], [np.nan]], [0, 1], "NaN or infinity"),
        ([[0.0], [1.0]], [0], "another number of rows"),
        ([[0.0], [1.0]], [0, -1], "whole numbers"),
    ],
)
def test_hostile_rows(score, x, y, words):
    with pytest.raises(DataError, match=words):
        score(x, y)


def test_the_only_row_of_a_class_has_no_mean_left():
    assert np.isnan(class_distance([[0.0], [1.0], [2.0]], [0, 0, 1])).tolist() == [0, 0, 1]


def test_whole_numbers_that_would_be_rounded_are_refused():
    x, y = np.arange(12).reshape(6, 2), np.arange(6) % 2
    with pytest.raises(DataError, match=r"inputs are whole numbers that would be rounded.*2\*\*53"):
        neighbor_disagreement(x + 2**53, y)
    with pytest.raises(DataError, match="would be rounded"):
        class_distance(np.full((6, 2), 2**64 - 1, np.uint64), y)
    even = neighbor_disagreement(2 * x + 2**53, y, n_neighbors=2)  # which float64 holds
    np.testing.assert_array_equal(even, neighbor_disagreement(2 * x, y, n_neighbors=2))


MEASURES = {
    "inputs and labels": (class_distance, 2),
    "scores and reference": (rank_agreement, 1),
    "scores and members": (estimate_auc, 1),
    "probabilities and labels": (rank_label_errors, 2),
    "logits and labels": (lambda x, y: hinge_margin(np.log(x), y), 2),
    "features and targets": (lambda x, y: leave_one_out_ridge(x, y, 1.0), 2),
    "features and targets of neighbours": (lambda x, y: leave_one_out_neighbors(x, y, 1), 2),
}


@pytest.mark.parametrize("what", MEASURES)
def test_rows_under_one_index_in_different_orders_are_refused(what):
    measure, axes = MEASURES[what]
    values = pd.DataFrame({"a": [0.9, 0.2, 0.3, 0.4], "b": [0.1, 0.8, 0.7, 0.6]})
    if axes == 1:
        values = values["a"]
    labels = pd.Series([0, 1, 1, 0])
    measure(values, labels)
    names = what.removesuffix(" of neighbours")
    with pytest.raises(DataError, match=f"{names} have the same index in different orders"):
        measure(values, labels[::-1])
