"""What rows say of themselves: brute force, and what does not matter."""

import numpy as np
import pytest
import torch

from overparam.errors import DataError
from overparam.measures import class_distance, neighbor_disagreement


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
