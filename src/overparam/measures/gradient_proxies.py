"""Proxies of memorization from outputs and features: EL2N, and gradients of the last layer.

Every score is float64 `[n]` and points one way: **higher = more memorized**. For cross-entropy and
a last layer f = W h + b the gradient of a row's loss is (p - y) h' with respect to W and p - y with
respect to b, p = softmax(f), y one-hot: its norm needs no backward pass.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from overparam.errors import DataError
from overparam.measures.checked_arrays import as_array, checked_floats, checked_labels


def el2n(logits: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Return the error norm of every row (EL2N), |softmax(f(x)) - onehot(y)|_2, mean over runs.

    Args:
        logits: `[n, K]`, or `[runs, n, K]` of runs to be averaged (the source takes 10, at an
            early epoch), K >= 2. labels: classes `[n]`.

    Returns:
        float64 `[n]`, in [0, sqrt(2)], without unit; higher = more memorized. NaN where a logit is
        NaN or infinite in any run.

    Raises:
        DataError: shapes that do not fit, one output, or probabilities instead of logits.

    Cost: O(runs n K). Source: Paul, Ganguli, Dziugaite 2021 (arXiv:2107.07075).

    >>> el2n([[0.0, 0.0], [0.0, 0.0]], [0, 1]).round(6).tolist()  # sqrt(1/4 + 1/4)
    [0.707107, 0.707107]
    """
    return _error_norms(_stacked("logits", logits, "K"), labels).mean(0)


def last_layer_gradient_norm(
    logits: ArrayLike, labels: ArrayLike, features: ArrayLike, *, bias: bool = True
) -> np.ndarray:
    """Return GraNd of the last layer, |grad_{W, b} l_i|_2 = |p - y| sqrt(|h|^2 + 1).

    Args:
        logits: `[n, K]`, or `[runs, n, K]` of runs to be averaged, K >= 2. labels: classes `[n]`.
        features: h, what the last layer is given, `[n, d]` or `[runs, n, d]`.
        bias: whether the last layer has one; without it, |p - y| |h|.

    Returns:
        float64 `[n]`, in [0, inf), nats per unit of the weights; higher = more memorized. NaN
        where a logit or a feature is not finite in any run.

    Raises:
        DataError: shapes that do not fit, one output, or probabilities instead of logits.

    Cost: O(runs n (K + d)). Where it differs from its source: that takes the gradient of all
    layers (`gradient_norm`), of which this is a lower bound.
    Source: Paul, Ganguli, Dziugaite 2021 (arXiv:2107.07075).

    >>> last_layer_gradient_norm([[0.0, 0.0]], [0], [[1.0, 1.0]], bias=False).round(12).tolist()
    [1.0]
    """
    return np.sqrt(_squared_norms(logits, labels, features, bias)).mean(0)


def last_layer_self_influence(
    logits: ArrayLike,
    labels: ArrayLike,
    features: ArrayLike,
    learning_rates: ArrayLike = 1.0,
    *,
    bias: bool = True,
) -> np.ndarray:
    """Return the self-influence of every row by TracIn on the last layer, summed over checkpoints.

    sum_c eta_c |p_c - y|^2 (|h_c|^2 + 1): by how much the steps on a row lower its own loss.

    Args:
        logits: `[checkpoints, n, K]`, or `[n, K]` of one. labels: classes `[n]`.
        features: h, what the last layer is given, `[checkpoints, n, d]` or `[n, d]`.
        learning_rates: eta, > 0, one for all or `[checkpoints]`.
        bias: whether the last layer has one; without it, |h|^2 alone.

    Returns:
        float64 `[n]`, in [0, inf), nats; higher = more memorized. NaN where a logit or a feature is
        not finite at any checkpoint.

    Raises:
        DataError: shapes that do not fit, one output, probabilities instead of logits, or learning
            rates that are not > 0.

    Cost: O(checkpoints n (K + d)). Source: Pruthi, Liu, Kale, Sundararajan 2020 (arXiv:2002.08484).

    >>> twice = [[[0.0, 0.0]], [[0.0, 0.0]]]
    >>> features = [[[1.0, 0.0]], [[1.0, 0.0]]]
    >>> last_layer_self_influence(twice, [0], features, [0.5, 0.25], bias=False).round(12).tolist()
    [0.375]
    """
    squares = _squared_norms(logits, labels, features, bias)
    rates = np.atleast_1d(as_array(learning_rates)).astype(np.float64)
    if rates.ndim != 1 or len(rates) not in (1, len(squares)) or not (rates > 0).all():
        raise DataError(
            "learning rates do not fit the checkpoints",
            got=rates.tolist(),
            allowed=f"one or {len(squares)}, all > 0",
        )
    if not np.isfinite(rates).all():
        raise DataError("learning rates must be finite", got=rates.tolist())
    return np.einsum("cn,c->n", squares, np.broadcast_to(rates, len(squares)))


def _squared_norms(
    logits: ArrayLike, labels: ArrayLike, features: ArrayLike, bias: bool
) -> np.ndarray:
    f, h = _stacked("logits", logits, "K"), _stacked("features", features, "d")
    if f.shape[:2] != h.shape[:2]:
        raise DataError(
            "features and logits do not fit together",
            got=f"{list(h.shape[:2])} and {list(f.shape[:2])}",
            allowed="equal runs and rows",
        )
    lengths = np.where(np.isfinite(h).all(2), (h**2).sum(2), np.nan)
    return _error_norms(f, labels) ** 2 * (lengths + bias)


def _stacked(name: str, values: ArrayLike, last: str) -> np.ndarray:
    """Return `[runs, n, last]` in float64, of one run where there is no such axis."""
    found = as_array(values)
    if found.ndim == 3:
        return checked_floats(name, values, f"[runs, n, {last}]")
    return checked_floats(name, values, f"[n, {last}]")[None]


def _error_norms(logits: np.ndarray, labels: ArrayLike) -> np.ndarray:
    """Return |softmax(f) - onehot(y)| of every run and row, `[runs, n]`."""
    _, n, n_classes = logits.shape
    if n_classes < 2:
        raise DataError(
            "errors need one logit per class",
            got="1 column",
            allowed=">= 2",
            remedy="for one output f of two classes give [0, f]",
        )
    y = checked_labels(labels, n, n_classes)
    finite = np.isfinite(logits).all(2)
    known = np.where(finite[..., None], logits, 0.0)
    if finite.all() and (known >= 0).all() and (np.abs(known.sum(2) - 1) < 1e-5).all():
        raise DataError(
            "these are probabilities, not logits",
            got="rows >= 0 that sum to 1",
            remedy="give the logits, or the logarithm of the probabilities",
        )
    errors = np.exp(known - known.max(2, keepdims=True))
    errors /= errors.sum(2, keepdims=True)
    # 1 - p_y as the sum of the others keeps its digits where p_y is near 1.
    rows = np.arange(n)
    errors[:, rows, y] = 0.0
    errors[:, rows, y] = errors.sum(2)
    return np.where(finite, np.sqrt((errors**2).sum(2)), np.nan)
