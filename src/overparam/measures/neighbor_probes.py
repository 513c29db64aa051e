"""Prediction depth: the layer from which on the neighbours of a row say what the network says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from overparam.errors import DataError
from overparam.measures.checked_arrays import as_array, checked_floats, checked_labels
from overparam.models.neighbors import checked_neighbors, neighbor_distances, shared_weights

_TIE = 1e-9  # of the votes, that rounding of shared ones may leave


def prediction_depth(
    layers: Sequence[ArrayLike],
    labels: ArrayLike,
    predictions: ArrayLike,
    *,
    n_neighbors: int = 30,
) -> np.ndarray:
    """Return the number of layers that a row passes before its prediction is settled.

    At every layer the k nearest training rows (in Euclidean distance of the layer's features, the
    row itself left out) vote with their labels. The depth of a row is the first layer from which
    on, in all layers to the last, they vote for what the network predicts in the end.

    Args:
        layers: features of the training rows from the first probed layer (the input may be one) to
            the last, each `[n, ...]`.
        labels: of the training rows, classes `[n]`: those that were trained on.
        predictions: of the network for the same rows, classes `[n]`.
        n_neighbors: k, 1 ... n - 1.

    Returns:
        float64 `[n]`, in layers, 0 ... len(layers): 0 where already the first layer agrees,
        len(layers) where not even the last does; higher = more memorized. NaN where a feature of
        the row is NaN or infinite in any layer; such rows have no vote.

    Raises:
        DataError: shapes that do not fit, no layer, k > n - 1 usable rows, labels or predictions
            that are no classes.
        UsageError: k < 1.

    Ties: rows at exactly the k-th distance share their votes; a probe agrees only where the
    predicted class has strictly the most votes. Neither the order of the rows nor the numbers of
    the classes matter.

    Cost: O(layers n^2 d). A row never votes for itself: with few neighbours that would settle a
    memorized row at the first layer.
    Source: Baldock, Maennel, Neyshabur 2021 (arXiv:2106.09647), section 2.

    >>> x = [[0.0], [1.0], [2.5], [9.0], [10.5], [11.0]]
    >>> y = [0, 0, 1, 1, 1, 1]  # the third lies among zeros, until the second layer moves it
    >>> z = [[0.0], [1.0], [8.0], [9.5], [10.5], [11.0]]
    >>> prediction_depth([x, z], y, y, n_neighbors=1).tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    if not len(layers):
        raise DataError("prediction depth needs the features of a layer", got="none")
    features = [_flat(layer) for layer in layers]
    n = len(features[0])
    if any(len(layer) != n for layer in features):
        raise DataError(
            "layers are of different numbers of rows", got=[len(layer) for layer in features]
        )
    n_classes = np.iinfo(np.int64).max
    y = checked_labels(labels, n, n_classes)
    predicted = checked_labels(predictions, n, n_classes)
    known = np.all([np.isfinite(layer).all(1) for layer in features], axis=0)
    k = checked_neighbors(n_neighbors, int(known.sum()) - 1)

    depth = np.full(n, np.nan)
    classes, votes_of = np.unique(y[known], return_inverse=True)
    wanted = np.searchsorted(classes, predicted[known]).clip(max=len(classes) - 1)
    wanted = np.where(classes[wanted] == predicted[known], wanted, -1)  # -1: nobody has that label
    found = np.full(int(known.sum()), float(len(features)))
    settled = np.ones(len(found), dtype=bool)
    for number in reversed(range(len(features))):
        settled &= _agrees(features[number][known], np.eye(len(classes))[votes_of], wanted, k)
        found[settled] = number
    depth[known] = found
    return depth


def _flat(layer: ArrayLike) -> np.ndarray:
    values = as_array(layer)
    return checked_floats(
        "features of a layer",
        values.reshape(len(values), -1) if values.ndim > 2 else values,
        "[n, d]",
    )


def _agrees(x: np.ndarray, one_hot: np.ndarray, wanted: np.ndarray, k: int) -> np.ndarray:
    """Return of every row whether its k nearest others vote for the wanted class alone."""
    agrees = np.empty(len(x), dtype=bool)
    for block, distances in neighbor_distances(x, x, "euclidean"):
        here = np.arange(block.stop - block.start)
        distances[here, here + block.start] = np.inf
        votes = shared_weights(distances, k) @ one_hot
        own = np.where(wanted[block] >= 0, votes[here, wanted[block]], -1.0)
        votes[here, wanted[block]] = -1.0
        agrees[block] = own > votes.max(1) + _TIE
    return agrees
