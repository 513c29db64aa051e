"""The spectral radius of a map's Jacobian: below 1, iterating the map contracts.

Every `f` here maps a batch `[n, *shape]` to `[n, *shape]` or `[n, d]`, d entries per example, one
row independently of the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from overparam.checks import check_choice, check_count, check_range
from overparam.errors import DataError, ResourceError
from overparam.streams import Streams

Map = Callable[[Tensor], Tensor]

METHODS = ("auto", "exact", "arnoldi")
LARGEST_EXACT = 512  # entries; beyond, all eigenvalues take seconds per point
_N_EIGENVALUES = 4  # that Arnoldi iteration looks for; more than one, so that pairs are not cut
_KRYLOV = 40  # vectors between two restarts


def jacobian_spectral_radius(
    f: Map, x: Tensor, *, method: str = "auto", tolerance: float = 1e-6, max_restarts: int = 300
) -> float:
    """Return the spectral radius of the Jacobian of f at x, max_i |lambda_i(df/dx)|.

    Args:
        f: maps `[1, *shape]` to as many entries; differentiable at x (where it has a kink, the
            derivative is that of PyTorch).
        x: `[*shape]`, one point with d entries, floating.
        method: ``exact`` (the whole Jacobian and all its eigenvalues), ``arnoldi`` (implicitly
            restarted Arnoldi iteration on vector-Jacobian products), or ``auto``, exact up to
            512 entries. Below 10 entries always exact.
        tolerance: relative, of the Arnoldi iteration. Products are in the dtype of x, which
            bounds what can be reached.
        max_restarts: of the Arnoldi iteration.

    Returns:
        A number in [0, inf), without unit; below 1 where f contracts towards a fixed point x, in
        some norm, at this rate per application in the end. NaN where the Jacobian holds NaN or
        infinity.

    Raises:
        DataError: f does not return as many entries as x has, or x is not floating.
        UsageError: unknown method, tolerance or number of restarts out of range.
        ResourceError: the Arnoldi iteration did not converge.

    Cost: exact, d backward passes and O(d^3); Arnoldi, up to 40 backward passes per restart.
    Source: Radhakrishnan, Belkin, Uhler 2020 (arXiv:1909.12362): a training example is an
    attractor where all eigenvalues of the Jacobian are smaller than 1 in absolute value.

    >>> a, b = torch.tensor([1.0, 2.0]), torch.tensor([[0.0, 0.5], [-0.5, 0.0]])
    >>> round(jacobian_spectral_radius(lambda x: a + (x - a) @ b.T, a), 6)
    0.5
    """
    check_choice("method", method, METHODS)
    check_range("tolerance", tolerance, 0)
    check_count("max_restarts", max_restarts)
    n_entries = checked_entries(f, x.unsqueeze(0))
    if method == "auto":
        method = "exact" if n_entries <= LARGEST_EXACT else "arnoldi"

    def flat(point: Tensor) -> Tensor:
        return f(point.unsqueeze(0)).reshape(-1)

    x = x.detach()
    if method == "exact" or n_entries < 10:
        jacobian = torch.func.jacrev(flat)(x).detach().reshape(n_entries, n_entries).double()
        if not bool(torch.isfinite(jacobian).all()):
            return math.nan
        return float(torch.linalg.eigvals(jacobian).abs().max())
    return _largest_by_arnoldi(flat, x, tolerance, max_restarts)


@torch.no_grad()
def checked_entries(f: Map, points: Tensor) -> int:
    """Return the number of entries d of one point after checking that f keeps it."""
    if not points.is_floating_point() or points.ndim < 2 or points.numel() == 0:
        raise DataError(
            "points must be floating, with at least one entry each",
            got=f"{points.dtype} {list(points.shape)}",
        )
    expected, found = points[:1].numel(), f(points[:1]).numel()
    if found != expected:
        raise DataError(
            "the map does not return as many entries as it is given", got=found, allowed=expected
        )
    return expected


def _largest_by_arnoldi(flat: Map, x: Tensor, tolerance: float, max_restarts: int) -> float:
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

    n_entries = x.numel()
    # The transposed Jacobian has the same eigenvalues, and one forward pass serves all products.
    pull_back = torch.func.vjp(flat, x)[1]

    def product(vector: np.ndarray) -> np.ndarray:
        (pulled,) = pull_back(torch.from_numpy(np.array(vector)).to(x))
        return pulled.detach().double().reshape(-1).cpu().numpy()

    # A fixed start keeps the measure a function of its arguments; random, so that no
    # eigenvector of a structured map is orthogonal to it.
    start = Streams(0).numpy("arnoldi").standard_normal(n_entries)
    first = product(start)
    if not np.isfinite(first).all():
        return math.nan
    if not first.any():
        return 0.0
    operator = LinearOperator((n_entries, n_entries), matvec=product, dtype=np.float64)
    try:
        values = eigs(
            operator,
            k=min(_N_EIGENVALUES, n_entries - 2),
            ncv=min(_KRYLOV, n_entries),
            v0=start,
            tol=tolerance,
            maxiter=max_restarts,
            return_eigenvectors=False,
        )
    except ArpackNoConvergence:
        raise ResourceError(
            "the largest eigenvalue was not found by Arnoldi iteration",
            got=f"{max_restarts} restarts, tolerance {tolerance:g}",
            remedy="use method='exact', more restarts or a larger tolerance",
        ) from None
    return float(np.abs(values).max())
