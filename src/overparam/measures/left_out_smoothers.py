"""Leave-one-out predictions of other smoothers, and the memorization of labels by all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from overparam.checks import check_choice
from overparam.data.tables import check_rows
from overparam.errors import DataError
from overparam.measures.checked_arrays import checked_floats, checked_labels
from overparam.measures.leave_one_out import LeaveOneOut, checked_targets
from overparam.models.neighbors import checked_neighbors, neighbor_distances, shared_weights

RULES = ("penalized", "renormalized")
OWN_WEIGHT_ONE = "the row's own weight is 1: the others say nothing of it"
_EXACT = 1e-8  # of what must be symmetric, sum to 1, or agree with a refit
_N_REFITS = 5
_TIE = 1e-12  # outputs nearer than this, of their size, are equal but for rounding


@dataclass(frozen=True, eq=False)
class LabelMemorization:
    """What a classifier says of its training labels with and without the row; all float64 `[n]`.

    The predicted class is that of the largest output; where t classes tie and the label is one of
    them, it counts as correct 1/t. Rows whose prediction without the row is unknown are NaN.

    Attributes:
        score: correct_with - correct_without, in [-1, 1], without unit; higher = more memorized.
        correct_with: in [0, 1]. correct_without: in [0, 1].
        margin_with: output of the label minus the largest other one, in units of the outputs.
        margin_without: the same without the row.
        margin_gain: margin_with - margin_without; higher = more memorized.
    """

    score: np.ndarray
    correct_with: np.ndarray
    correct_without: np.ndarray
    margin_with: np.ndarray
    margin_without: np.ndarray
    margin_gain: np.ndarray


def leave_one_out_memorization(predictions: LeaveOneOut, labels: ArrayLike) -> LabelMemorization:
    """Return how far every label is right only because its row was in training.

    mem_i = 1[argmax f(x_i) = y_i] - 1[argmax f_without_i(x_i) = y_i]: Feldman's memorization for
    an algorithm without randomness and subsets of n - 1 rows, exactly.

    Args:
        predictions: of one-hot targets, `[n, classes]` with two classes or more, by any function
            whose name begins with ``leave_one_out``. labels: classes `[n]`, array or tensor.

    Returns:
        `LabelMemorization`.

    Raises:
        DataError: predictions of one column, or labels that do not fit.

    Cost: O(n classes). Source: Feldman 2020 (arXiv:1906.05271), definition of mem.

    >>> x, y = [[0.0], [1.0], [3.0], [9.0]], [0, 0, 1, 1]
    >>> found = leave_one_out_neighbors(x, np.eye(2)[y], n_neighbors=1)
    >>> leave_one_out_memorization(found, y).score.tolist()  # the third lies nearest to a 0
    [0.0, 0.0, 1.0, 0.0]
    """
    n, n_classes = predictions.with_row.shape
    if n_classes < 2:
        raise DataError(
            "memorization of labels takes one output per class",
            got="1 output",
            allowed=">= 2",
            remedy="fit one-hot targets, np.eye(n_classes)[labels]",
        )
    y = checked_labels(labels, n, n_classes)
    correct_with, margin_with = _judge(predictions.with_row, y)
    correct_without, margin_without = _judge(predictions.without_row, y)
    return LabelMemorization(
        correct_with - correct_without,
        correct_with,
        correct_without,
        margin_with,
        margin_without,
        margin_with - margin_without,
    )


def leave_one_out_neighbors(
    features: object, targets: object, n_neighbors: int, *, metric: str = "euclidean"
) -> LeaveOneOut:
    """Return the leave-one-out predictions of k nearest neighbours, without any refit.

    f(x_i) = mean target of the k rows nearest to x_i, itself among them; f_without_i(x_i) of the k
    nearest others. The shortcut (y - f) / (1 - 1/k) would be wrong: it forgets the neighbour that
    moves up.

    Args:
        features: `[n, p]`, n >= 2, array or tensor. targets: `[n]` or `[n, k]`; for classes
            one-hot.
        n_neighbors: k, 1 ... n - 1.
        metric: ``euclidean``, ``cityblock`` or ``chebyshev``.

    Returns:
        `LeaveOneOut`; every row is known. Ties: rows at exactly the k-th distance share what the
        nearer ones leave of the k votes, so that the order of the rows never matters (scikit-learn
        takes some of them). So a duplicated row shares its own place with its twins.

    Raises:
        DataError: shapes that do not fit, fewer than two rows, NaN or infinity, k > n - 1.
        UsageError: k < 1 or an unknown metric.

    Cost: O(n^2 p); memory 32 MB beside the inputs, by blocks of rows.
    Source: Fix, Hodges 1951; the ties are ours.

    >>> found = leave_one_out_neighbors([[0.0], [1.0], [3.0]], [5.0, 7.0, 9.0], n_neighbors=1)
    >>> found.with_row[:, 0].tolist(), found.without_row[:, 0].tolist()
    ([5.0, 7.0, 9.0], [7.0, 5.0, 7.0])
    """
    check_rows(features, targets, "targets", "features")
    x = checked_floats("features", features, "[n, p]", finite=True)
    y = checked_targets(targets, len(x))
    k = checked_neighbors(n_neighbors, len(x) - 1)
    with_row, without_row, own = np.empty_like(y), np.empty_like(y), np.empty(len(x))
    for block, distances in neighbor_distances(x, x, metric):
        here = np.arange(block.start, block.stop)
        weights = shared_weights(distances, k)
        own[block], with_row[block] = weights[here - block.start, here], weights @ y
        distances[here - block.start, here] = np.inf
        without_row[block] = shared_weights(distances, k) @ y
    return LeaveOneOut(with_row, without_row, own, {})


def leave_one_out_smoother(
    smoother: object,
    targets: object,
    rule: str = "penalized",
    *,
    refit: Callable[[int], ArrayLike] | None = None,
) -> LeaveOneOut:
    """Return the leave-one-out predictions of a linear smoother, yhat = S y, where they follow.

    y_i - f_without_i(x_i) = (y_i - (S y)_i) / (1 - S_ii). That is true of two kinds of smoother,
    and S must look like the kind that is named:

    - ``penalized``: S minimizes squared error plus a quadratic penalty (ridge, kernels, smoothing
      splines, projections): symmetric, eigenvalues in [0, 1];
    - ``renormalized``: without a row, the other weights keep their ratios (Nadaraya-Watson, means
      in the fixed cells of a tree or histogram): no weight negative, rows that sum to 1.

    It is false of k nearest neighbours (use `leave_one_out_neighbors`), of trees that are grown
    anew, of forests, and of early stopping.

    Args:
        smoother: S, on the training inputs, `[n, n]`, n >= 2, array or tensor.
        targets: `[n]` or `[n, k]`. rule: the kind of smoother.
        refit: the prediction `[k]` for row i by a model trained without it; where it is given, it
            is asked for the 5 rows that weigh most on themselves, and must agree. S alone cannot
            prove its kind: k neighbours pass as ``renormalized``.

    Returns:
        `LeaveOneOut`; a row with own weight S_ii >= 1 - 1e-8 is NaN, since nothing follows of it.

    Raises:
        DataError: shapes that do not fit, fewer than two rows, NaN or infinity, a smoother that is
            not of its kind, or a refit that does not agree.
        UsageError: an unknown rule.

    Cost: O(n^3) for ``penalized`` (its eigenvalues), O(n^2) otherwise.
    Source: Craven, Wahba 1979 (Numerische Mathematik 31, 377), lemma 3.2.

    >>> found = leave_one_out_smoother(np.full((3, 3), 1 / 3), [0.0, 3.0, 6.0])  # the mean
    >>> found.without_row[:, 0].round(12).tolist()
    [4.5, 3.0, 1.5]
    """
    check_choice("rule", rule, RULES)
    s = checked_floats("smoother", smoother, "[n, n]", finite=True)
    y = checked_targets(targets, len(s))
    if s.shape != (len(s), len(s)):
        raise DataError("a smoother of training rows is square", got=list(s.shape))
    _check_kind(s, rule)
    own, fitted = s.diagonal().copy(), s @ y
    alone = own >= 1 - _EXACT
    without = y - (y - fitted) / np.where(alone, 1.0, 1 - own)[:, None]
    without[alone] = np.nan
    if refit is not None:
        _check_refits(without, refit, np.argsort(np.where(alone, -1.0, own))[::-1])
    return LeaveOneOut(
        fitted, without, own, {OWN_WEIGHT_ONE: int(alone.sum())} if alone.any() else {}
    )


def _judge(outputs: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(len(labels))
    own = outputs[rows, labels]
    others = outputs.copy()
    others[rows, labels] = -np.inf
    best = others.max(1)
    margin = own - best
    close = _TIE * np.maximum(np.abs(own), np.abs(best))
    tied = 1 + (others >= (own - close)[:, None]).sum(1)
    correct = np.where(margin > close, 1.0, np.where(margin >= -close, 1 / tied, 0.0))
    return np.where(np.isnan(margin), np.nan, correct), margin


def _check_kind(s: np.ndarray, rule: str) -> None:
    remedy = "leave the rows out one by one, or use the function made for the model"
    if rule == "renormalized":
        if s.min() < -_EXACT or np.abs(s.sum(1) - 1).max() > _EXACT:
            raise DataError(
                "a renormalized smoother has weights >= 0 that sum to 1",
                got=f"smallest weight {s.min():.3g}, sums {s.sum(1).min():.6g} to "
                f"{s.sum(1).max():.6g}",
                remedy=remedy,
            )
        return
    if np.abs(s - s.T).max() > _EXACT * max(1.0, np.abs(s).max()):
        raise DataError(
            "a penalized smoother is symmetric; of this one the shortcut is not true",
            got=f"S_ij and S_ji that differ by {np.abs(s - s.T).max():.3g}",
            remedy=remedy,
        )
    eigenvalues = np.linalg.eigvalsh((s + s.T) / 2)
    if eigenvalues[0] < -_EXACT or eigenvalues[-1] > 1 + _EXACT:
        raise DataError(
            "a penalized smoother has eigenvalues in [0, 1]",
            got=f"{eigenvalues[0]:.6g} to {eigenvalues[-1]:.6g}",
            remedy=remedy,
        )


def _check_refits(
    without: np.ndarray, refit: Callable[[int], ArrayLike], order: np.ndarray
) -> None:
    for i in order[:_N_REFITS]:
        if np.isnan(without[i]).any():
            continue
        found = np.asarray(refit(int(i)), dtype=np.float64).reshape(-1)
        if found.shape != without[i].shape or not np.allclose(found, without[i], 1e-6, 1e-6):
            raise DataError(
                f"the shortcut is not true of this smoother: a refit without row {i} differs",
                got=np.array2string(found, precision=6, threshold=8),
                allowed=np.array2string(without[i], precision=6, threshold=8),
                remedy="leave the rows out one by one",
            )
