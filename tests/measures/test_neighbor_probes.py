"""Prediction depth: exact small cases, a plain loop over scikit-learn's neighbours, invariances."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from overparam.errors import DataError, UsageError
from overparam.measures import prediction_depth


def draw(n=40, n_layers=4, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n)
    centres = rng.standard_normal((n_classes, 6))
    layers = [t * centres[y] + rng.standard_normal((n, 6)) for t in range(n_layers)]
    return layers, y, np.where(rng.random(n) < 0.1, (y + 1) % n_classes, y)


def depth_by_loop(layers, labels, predictions, k):
    agrees = []
    for x in layers:
        found = NearestNeighbors(n_neighbors=k).fit(x).kneighbors(return_distance=False)
        votes = [np.bincount(labels[row], minlength=labels.max() + 1) for row in found]
        agrees.append(
            [
                (v == v.max()).sum() == 1 and v.argmax() == p
                for v, p in zip(votes, predictions, strict=True)
            ]
        )
    return [
        next(d for d in range(len(layers) + 1) if all(a[i] for a in agrees[d:]))
        for i in range(len(labels))
    ]


@pytest.mark.parametrize("k", [1, 2, 5, 30])
@pytest.mark.parametrize("seed", range(3))
def test_by_loop(k, seed):
    layers, y, predicted = draw(seed=seed)
    found = prediction_depth(layers, y, predicted, n_neighbors=k)
    np.testing.assert_array_equal(found, depth_by_loop(layers, y, predicted, k))
    assert 0 <= found.min() < found.max() <= len(layers)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 5))
def test_neither_the_order_of_rows_nor_the_numbers_of_classes_matter(seed, k):
    rng = np.random.default_rng(seed)
    layers = [rng.integers(0, 3, (9, 2)) for _ in range(3)]  # full of ties
    y, predicted = rng.integers(0, 3, 9), rng.integers(0, 3, 9)
    base = prediction_depth(layers, y, predicted, n_neighbors=k)
    order, names = rng.permutation(9), np.array([7, 0, 4])
    found = prediction_depth(
        [x[order] for x in layers], names[y[order]], names[predicted[order]], n_neighbors=k
    )
    np.testing.assert_array_equal(found, base[order])


def test_layers_of_any_shape_and_kind():
    layers, y, predicted = draw()
    expected = prediction_depth(layers, y, predicted, n_neighbors=5)
    images = [torch.from_numpy(x.reshape(40, 2, 3)).requires_grad_() for x in layers]
    found = prediction_depth(
        images, torch.from_numpy(y), torch.from_numpy(predicted), n_neighbors=5
    )
    np.testing.assert_array_equal(found, expected)


def test_a_wrong_label_is_settled_late():
    layers, y, _ = draw(n=200, n_layers=6)
    labels = y.copy()
    labels[:10] = (y[:10] + 1) % 3  # fitted by the network, against its neighbours
    depth = prediction_depth(layers, labels, labels, n_neighbors=10)
    assert depth[:10].min() >= depth[10:].mean()
    assert np.median(depth[:10]) == 6


def test_a_prediction_that_no_row_bears_is_never_settled():
    found = prediction_depth([np.arange(3.0)[:, None]], [0, 0, 0], [0, 0, 5], n_neighbors=1)
    assert found.tolist() == [0, 0, 1]


def test_a_row_that_is_not_finite_is_nan_and_has_no_vote():
    layers, y, predicted = draw()
    layers[2][7] = np.nan
    found = prediction_depth(layers, y, predicted, n_neighbors=3)
    assert np.isnan(found[7])
    others = np.arange(40) != 7
    expected = prediction_depth(
        [x[others] for x in layers], y[others], predicted[others], n_neighbors=3
    )
    np.testing.assert_array_equal(found[others], expected)


X = np.arange(3.0)[:, None]


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: prediction_depth([], [0], [0]), DataError, "needs the features of a layer"),
        (lambda: prediction_depth([X, X[:2]], [0] * 3, [0] * 3), DataError, "numbers of rows"),
        (lambda: prediction_depth([X], [0] * 3, [0] * 3), DataError, r"fewer rows.*got 30.*<= 2"),
        (lambda: prediction_depth([X[:, 0]], [0] * 3, [0] * 3), DataError, r"wrong shape.*n, d"),
        (lambda: prediction_depth([X], [0] * 2, [0] * 3), DataError, "another number of rows"),
        (lambda: prediction_depth([X], [0] * 3, [0, 0, -1]), DataError, "whole numbers"),
        (
            lambda: prediction_depth([X], [0] * 3, [0] * 3, n_neighbors=0),
            UsageError,
            "n_neighbors is out",
        ),
    ],
)
def test_errors(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
