"""Norms of weights, and the stable rank."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from overparam.errors import DataError


def weight_norm(weights: nn.Module | Mapping[str, Tensor] | Iterable[Tensor]) -> float:
    """Return the Euclidean norm of all parameters together, sqrt(sum_j |w_j|^2).

    Args:
        weights: a module (its parameters, biases included, shared ones once), a mapping of names
            to tensors, or tensors; any shapes.

    Returns:
        A number in [0, inf), in the unit of the weights, summed in float64 without overflow. NaN
        and infinity propagate; 0 where there are no parameters.

    Raises nothing. Cost: O(number of parameters).

    >>> weight_norm([torch.tensor([3.0]), torch.tensor([[4.0]])])
    5.0
    """
    if isinstance(weights, nn.Module):
        tensors: Iterable[Tensor] = weights.parameters()
    else:
        tensors = weights.values() if isinstance(weights, Mapping) else weights
    norms = [_norm(_widest(w.detach())) for w in tensors]
    return math.nan if any(map(math.isnan, norms)) else math.hypot(*norms)


def frobenius_norm(weight: Tensor) -> float:
    """Return the Frobenius norm of one layer's weight, sqrt(sum_ij |W_ij|^2).

    Args:
        weight: `[n_out, ...]`, any shape with at least one entry.

    Returns:
        A number in [0, inf), in the unit of the weight, in float64. NaN propagates.

    Raises:
        DataError: no entries.

    Cost: O(entries).

    >>> frobenius_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    5.0
    """
    return _norm(_matrix(weight))


def spectral_norm(weight: Tensor) -> float:
    """Return the largest singular value of one layer's weight.

    max_x |W x| / |x|, W the weight as a matrix `[n_out, everything else]`. For a convolution this
    is the norm of the reshaped kernel, as in most published bounds, and not that of the
    convolution as an operator.

    Args:
        weight: `[n_out, ...]`, any shape with at least one entry.

    Returns:
        A number in [0, inf), in the unit of the weight, in float64. NaN where the weight holds NaN
        or infinity.

    Raises:
        DataError: no entries.

    Cost: O(a b min(a, b)) for a matrix a x b: all singular values, so the answer is exact.

    >>> round(spectral_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]])), 12)
    4.0
    """
    matrix = _matrix(weight)
    if not bool(torch.isfinite(matrix).all()):
        return math.nan
    return float(torch.linalg.svdvals(matrix)[0])


def stable_rank(weight: Tensor) -> float:
    """Return the stable rank |W|_F^2 / |W|_2^2: how many directions carry the weight's energy.

    Args:
        weight: `[n_out, ...]`, reshaped to a matrix as in `spectral_norm`.

    Returns:
        A number in [1, rank(W)], without unit, in float64; 1 for rank one, the rank itself where
        all non-zero singular values are equal. NaN where the weight is all zero or not finite.

    Raises:
        DataError: no entries.

    Cost: as `spectral_norm`. Source: Rudelson, Vershynin 2007 (arXiv:math/0503442), section 1.

    >>> round(stable_rank(torch.eye(5)), 12)
    5.0
    """
    largest = spectral_norm(weight)
    return (frobenius_norm(weight) / largest) ** 2 if largest > 0 else math.nan


def _norm(entries: Tensor) -> float:
    """Return the root of the sum of squares, none of which overflows or underflows."""
    sizes = entries.abs()
    largest = float(sizes.max()) if sizes.numel() else 0.0
    if largest == 0 or not math.isfinite(largest):  # `max` hands on NaN
        return largest
    return largest * float((sizes / largest).square().sum().sqrt())


def _matrix(weight: Tensor) -> Tensor:
    if weight.numel() == 0 or weight.ndim == 0:
        raise DataError(
            "a weight must have at least one row and one column", got=list(weight.shape)
        )
    return _widest(weight.detach()).reshape(len(weight), -1)


def _widest(weight: Tensor) -> Tensor:
    return weight.to(torch.complex128 if weight.is_complex() else torch.float64)
