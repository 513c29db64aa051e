"""What the rows alone say of themselves, without any model: the baselines of memorization scores.

Every score is float64 `[n]` and points one way: **higher = more memorized**.
"""

from __future__ import annotations

import numpy as np

from overparam.data.tables import check_rows
from overparam.measures.checked_arrays import as_array, checked_floats, checked_labels
from overparam.measures.left_out_smoothers import leave_one_out_neighbors


def neighbor_disagreement(
    inputs: object, labels: object, *, n_neighbors: int = 10, metric: str = "euclidean"
) -> np.ndarray:
    """Return the share of the nearest other rows that have another label.

    Args:
        inputs: `[n, ...]`, n >= 2, flattened. labels: classes `[n]`.
        n_neighbors: k, 1 ... n - 1. metric: as in `leave_one_out_neighbors`.

    Returns:
        float64 `[n]`, in [0, 1], without unit; higher = more memorized. Rows at exactly the k-th
        distance share their votes, so the order of the rows never matters.

    Raises:
        DataError: shapes that do not fit, no numbers, NaN or infinity, k > n - 1.
        UsageError: k < 1 or an unknown metric.

    Cost: O(n^2 d), by blocks of rows.

    >>> neighbor_disagreement([[0.0], [1.0], [3.0]], [0, 0, 1], n_neighbors=1).tolist()
    [0.0, 0.0, 1.0]
    """
    x, y = _rows(inputs, labels)
    found = leave_one_out_neighbors(x, np.eye(y.max() + 1)[y], n_neighbors, metric=metric)
    return 1 - found.without_row[np.arange(len(x)), y]


def class_distance(inputs: object, labels: object) -> np.ndarray:
    """Return how much farther a row lies from the mean of its own label than from the next one.

    |x_i - m_y| / min_{k != y} |x_i - m_k|, with m_y the mean of the other rows of its label and
    m_k those of the other labels.

    Args:
        inputs: `[n, ...]`, n >= 2, flattened. labels: classes `[n]`, two of them at least.

    Returns:
        float64 `[n]`, in [0, inf], without unit; above 1 where another label's mean is nearer;
        higher = more memorized. NaN for the only row of a label.

    Raises:
        DataError: shapes that do not fit, no numbers, NaN or infinity.

    Cost: O(n K d).

    >>> class_distance([[0.0], [1.0], [2.0], [5.0]], [0, 0, 0, 1]).round(2).tolist()
    [0.3, 0.0, 0.5, nan]
    """
    x, y = _rows(inputs, labels)
    sizes = np.bincount(y).astype(float)
    means = [x[y == k].mean(0) for k in range(len(sizes))]
    distances = np.stack([np.linalg.norm(x - mean, axis=1) for mean in means], 1)
    rows, size = np.arange(len(x)), sizes[y]
    with np.errstate(divide="ignore", invalid="ignore"):
        own = distances[rows, y] * size / (size - 1)  # from the mean without the row itself
        distances[rows, y] = np.inf
        return np.where(size > 1, own / distances.min(1), np.nan)


def _rows(inputs: object, labels: object) -> tuple[np.ndarray, np.ndarray]:
    check_rows(inputs, labels)
    values = as_array(inputs)
    flat = values.reshape(len(values), -1) if values.ndim > 2 else values
    x = checked_floats("inputs", flat, "[n, d]", finite=True)
    y = checked_labels(labels, len(x), np.iinfo(np.int64).max)
    return x, np.unique(y, return_inverse=True)[1]
