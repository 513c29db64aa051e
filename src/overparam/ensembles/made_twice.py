"""Whether a function makes the same network twice: the weights, and how far they are apart."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of parameters and buffers; of those that are not made yet, none."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {n: t.detach().clone() for n, t in tensors if not (is_lazy(t) or t.is_meta)}


def largest_gap(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """Return the largest difference of weights, which is infinite where there are others.

    >>> largest_gap({"a": torch.tensor([1.0, torch.nan])}, {"a": torch.tensor([3.0, torch.nan])})
    2.0
    """
    if {n: t.shape for n, t in first.items()} != {n: t.shape for n, t in second.items()}:
        return float("inf")
    return max((_gap(tensor, second[name]) for name, tensor in first.items()), default=0.0)


def _gap(first: Tensor, second: Tensor) -> float:
    a, b = (t.to(torch.complex128 if t.is_complex() else torch.float64) for t in (first, second))
    are_equal = (a == b) | (a.isnan() & b.isnan())
    gaps = torch.where(are_equal, 0.0, (a - b).abs())
    return float(gaps.nan_to_num(nan=torch.inf).max()) if gaps.numel() else 0.0
