"""Effective number of parameters of a smoother, and the smoothers it is computed from."""

from __future__ import annotations

import torch
from torch import Tensor

from overparam.checks import check_range
from overparam.errors import DataError


def effective_parameters(smoother: Tensor) -> float:
    """Return the effective number of parameters that a smoother uses on given inputs.

    A smoother predicts by fixed weights on the training targets, yhat(x0) = s(x0)^T y. Then
    p_eff = (n/m) sum_{j=1..m} |s(x0_j)|^2. On the training inputs of a projection it is its rank;
    on fresh inputs it differs from it, and the double-descent curve, drawn against it, folds back
    into a U or an L.

    Args:
        smoother: S, `[m, n]`: row j holds the weights s(x0_j) on the n training targets.

    Returns:
        A number in [0, inf), without unit, in float64; 1 for the mean of all targets, n for the
        nearest neighbour. NaN propagates.

    Raises:
        DataError: not `[m, n]` with m, n >= 1.

    Cost: O(m n). Assumption: s does not depend on y (a tree grown on y is taken as given).
    Source: Curth, Jeffares, van der Schaar 2023 (arXiv:2310.18988), definition 1.

    >>> effective_parameters(torch.full((3, 4), 0.25)), effective_parameters(torch.eye(4))
    (1.0, 4.0)
    """
    weights = smoother.double()
    if weights.ndim != 2 or weights.numel() == 0:
        raise DataError("a smoother is a matrix [m, n]", got=list(smoother.shape))
    return float(weights.square().sum(1).mean() * weights.shape[1])


def linear_smoother(train_features: Tensor, features: Tensor, penalty: float = 0.0) -> Tensor:
    """Return the smoother of minimum-norm (penalty 0) or ridge regression without intercept.

    S = X0 X^+, or X0 (X'X + penalty I)^-1 X'.

    Args:
        train_features: X, `[n, p]`. features: X0, `[m, p]`.
        penalty: >= 0, added to the sum of squares (not divided by n).

    Returns:
        S, float64 `[m, n]`. NaN or infinite features are refused.

    Raises:
        DataError: shapes that do not fit, or features that are not finite.
        UsageError: a negative penalty.

    Cost: O(n p min(n, p) + m n p).

    >>> x = torch.tensor([[1.0], [1.0]])
    >>> linear_smoother(x, torch.tensor([[3.0]])).round(decimals=12)
    tensor([[1.5000, 1.5000]], dtype=torch.float64)
    """
    check_range("penalty", penalty, 0)
    x, x0 = train_features.double(), features.double()
    if x.ndim != 2 or x0.ndim != 2 or x.shape[1] != x0.shape[1] or x.numel() == 0:
        raise DataError(
            "training features and features do not fit together",
            got=f"{list(train_features.shape)} and {list(features.shape)}",
            allowed="[n, p] and [m, p]",
        )
    if not bool(torch.isfinite(x).all() and torch.isfinite(x0).all()):
        raise DataError("features hold NaN or infinity", remedy="drop or impute these rows")
    left, s, right = torch.linalg.svd(x, full_matrices=False)
    kept = s > s[0] * max(x.shape) * torch.finfo(s.dtype).eps
    shrunk = torch.where(kept, s / (s.square() + penalty).clamp(min=torch.finfo(s.dtype).tiny), 0)
    return (x0 @ right.T * shrunk) @ left.T


def leaf_smoother(train_leaves: Tensor, leaves: Tensor) -> Tensor:
    """Return the smoother of one regression tree, or the mean smoother of a forest.

    s_i(x0) = 1[leaf(x_i) = leaf(x0)] / (training rows in that leaf), averaged over trees.

    Args:
        train_leaves: leaf numbers of the training rows, integers `[n]` or `[n, n_trees]`, such as
            ``tree.apply(X)``.
        leaves: leaf numbers of the query rows, `[m]` or `[m, n_trees]`.

    Returns:
        S, float64 `[m, n]`; rows sum to 1. A leaf without training rows gives a row of zeros.

    Raises:
        DataError: another number of trees in the two, or no rows.

    Cost: O(m n n_trees). Assumption: trees without bootstrap (each training row counts once).
    Source: Curth, Jeffares, van der Schaar 2023, section 4.

    >>> leaf_smoother(torch.tensor([7, 7, 9]), torch.tensor([7, 9])).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    """
    train, query = torch.as_tensor(train_leaves), torch.as_tensor(leaves)
    train = train[:, None] if train.ndim == 1 else train
    query = query[:, None] if query.ndim == 1 else query
    if train.ndim != 2 or query.ndim != 2 or train.shape[1] != query.shape[1] or not train.numel():
        raise DataError(
            "leaf numbers of training and query rows do not fit together",
            got=f"{list(train.shape)} and {list(query.shape)}",
            allowed="[n, n_trees] and [m, n_trees]",
        )
    total = torch.zeros(len(query), len(train), dtype=torch.float64)
    for tree in range(train.shape[1]):  # one [m, n] matrix at a time keeps memory flat
        same = (query[:, tree, None] == train[None, :, tree]).double()
        total += same / same.sum(1, keepdim=True).clamp(min=1)
    return total / train.shape[1]
