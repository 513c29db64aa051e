"""Attractors of a map that returns its input's shape, such as an autoencoder.

A training example is *stored* by a trained map f where it is an attractor: f returns it, and
iterating f from nearby returns to it. The first is a fixed point, the second the spectral radius
of the Jacobian below 1. Every `f` here maps a batch `[n, *shape]` to `[n, *shape]` or `[n, d]`, d
entries per example, one row independently of the others; give modules in evaluation mode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from overparam.checks import check_count, check_range
from overparam.errors import DataError
from overparam.measures.spectral_radius import Map, checked_entries, jacobian_spectral_radius


@dataclass(frozen=True)
class Iterated:
    """Where iterating a map ended.

    Attributes:
        points: `[m, *shape]`, the last iterate of every start.
        n_steps: int64 `[m]`, applications of the map until it stood still, or all that were asked.
        converged: bool `[m]`, whether the last application moved it by at most the tolerance.
    """

    points: Tensor
    n_steps: Tensor
    converged: Tensor


@dataclass(frozen=True)
class Memorization:
    """Which training examples a map stores.

    Attributes:
        rate: fraction of the examples that are attractors, in [0, 1].
        is_attractor: bool `[n]`.
        fixed_point_error: float64 `[n]`, |f(x) - x| / |x|.
        spectral_radius: float64 `[n]`, of the Jacobian at each example.
    """

    rate: float
    is_attractor: Tensor
    fixed_point_error: Tensor
    spectral_radius: Tensor


@torch.no_grad()
def iterate_to_attractor(
    f: Map, starts: Tensor, n_iterations: int = 1000, tolerance: float = 1e-6
) -> Iterated:
    """Apply a map again and again, z <- f(z), until it stands still.

    A start stops where the root mean square of the entries of f(z) - z is at most the tolerance;
    f(z) is then its last iterate. Where f contracts by rho per application, what is left of the
    way is at most rho / (1 - rho) of that last step.

    Args:
        f: maps `[m, *shape]` to as many entries.
        starts: `[m, *shape]`, floating, m >= 1.
        n_iterations: the most applications, >= 1.
        tolerance: >= 0, in the unit of the entries; 0 stops only where nothing changes at all.

    Returns:
        `Iterated`. A start whose iterates overflow ends with infinite or NaN entries and has not
        converged.

    Raises:
        DataError: f does not return as many entries as it is given, or starts are not floating.
        UsageError: n_iterations or tolerance out of range.

    Cost: at most `n_iterations` forward passes of the starts that still move.
    Source: Radhakrishnan et al. 2019 (arXiv:1810.10333).

    >>> ended = iterate_to_attractor(lambda z: 1 + (z - 1) / 2, torch.tensor([[3.0], [1.0]]))
    >>> ended.points.round(decimals=4).tolist(), ended.n_steps.tolist()
    ([[1.0], [1.0]], [21, 1])
    """
    check_count("n_iterations", n_iterations)
    check_range("tolerance", tolerance, 0)
    checked_entries(f, starts)
    points = starts.detach().clone()
    n_steps = torch.zeros(len(points), dtype=torch.int64)
    converged = torch.zeros(len(points), dtype=torch.bool)
    moving = torch.arange(len(points))
    for _ in range(n_iterations):
        here = points[moving]
        there = f(here).reshape(here.shape)
        step = (there - here).double().flatten(1).square().mean(1).sqrt()
        points[moving] = there
        n_steps[moving] += 1
        converged[moving[step <= tolerance]] = True
        moving = moving[step > tolerance]  # NaN is not: what overflowed stays as it is
        if not len(moving):
            break
    return Iterated(points, n_steps, converged)


def memorization_rate(
    f: Map,
    examples: Tensor,
    *,
    tolerance: float = 0.01,
    margin: float = 1e-4,
    method: str = "auto",
) -> Memorization:
    """Return the fraction of training examples that are attractors of f.

    Example x counts where |f(x) - x| <= tolerance |x| and the spectral radius of df/dx at x is
    below 1 - margin. Both are needed: a constant map contracts everywhere and stores at most one
    example, and the identity returns every example and attracts nothing.

    Args:
        f: maps `[n, *shape]` to as many entries.
        examples: `[n, *shape]`, floating, n >= 1.
        tolerance: >= 0, relative. A trained network returns its examples up to its training
            error; the fixed point itself then lies near the example, not at it.
        margin: in [0, 1); keeps rounding from making attractors of the fixed points of a
            projection or of the identity, where the radius is 1.
        method: as in `jacobian_spectral_radius`.

    Returns:
        `Memorization`. An example whose image or Jacobian is not finite is no attractor; an
        example of zeros counts where f returns zeros.

    Raises:
        DataError, UsageError, ResourceError: as `jacobian_spectral_radius`.

    Cost: n times that of `jacobian_spectral_radius`. Differs from the source, which asks for a
    training loss below a bound instead of a bound for each example.
    Source: Radhakrishnan, Belkin, Uhler 2020 (arXiv:1909.12362).

    >>> shrink = lambda x: 1 + (x - 1) / 2
    >>> memorization_rate(shrink, torch.tensor([[1.0], [2.0]])).rate
    0.5
    """
    check_range("tolerance", tolerance, 0)
    check_range("margin", margin, 0, 1, open_high=True)
    checked_entries(f, examples)
    with torch.no_grad():
        moved = (f(examples).reshape(examples.shape) - examples).double().flatten(1).norm(dim=1)
    size = examples.double().flatten(1).norm(dim=1)
    error = torch.where(moved == 0, 0.0, moved / size)
    radius = torch.tensor(
        [jacobian_spectral_radius(f, x, method=method) for x in examples], dtype=torch.float64
    )
    stored = (error <= tolerance) & (radius < 1 - margin)
    return Memorization(float(stored.double().mean()), stored, error, radius)


def recalled_examples(points: Tensor, examples: Tensor, tolerance: float = 0.05) -> Tensor:
    """Return which training example each point has reached, -1 where it has reached none.

    Point z has reached the nearest example x (in Euclidean distance) where
    |z - x| <= tolerance |x|. The fraction of entries >= 0 is the share of starts from which
    iterating ends at a training example.

    Args:
        points: `[m, *shape]`, such as `Iterated.points`. examples: `[n, *shape]`.
        tolerance: >= 0, relative.

    Returns:
        int64 `[m]`, in [-1, n). Points that are not finite have reached none.

    Raises:
        DataError: points and examples differ in shape. UsageError: tolerance out of range.

    Cost: O(m n d).

    >>> recalled_examples(torch.tensor([[1.01], [2.0]]), torch.tensor([[1.0], [3.0]])).tolist()
    [0, -1]
    """
    check_range("tolerance", tolerance, 0)
    a, b = _same_entries(points, examples)
    # Differences, not a product of matrices: exact where a point lies on an example.
    distance = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
    nearest, index = torch.nan_to_num(distance, nan=math.inf).min(1)
    return torch.where(nearest <= tolerance * b.norm(dim=1)[index], index, -1)


def span_energy(outputs: Tensor, examples: Tensor) -> float:
    """Return the fraction of the outputs' energy that lies in the span of the training examples.

    sum_i |P f_i|^2 / sum_i |f_i|^2, with P the orthogonal projection on the span of the examples.

    Args:
        outputs: `[m, *shape]`. examples: `[n, *shape]`; both flattened to d entries.

    Returns:
        A number in [0, 1], in float64; 1 where the examples span everything. NaN where the
        outputs are all zero or anything is not finite.

    Raises:
        DataError: outputs and examples differ in shape.

    Cost: O(n d min(n, d) + m d min(n, d)). Source: Radhakrishnan et al. 2019 (arXiv:1810.10333):
    one-layer networks project on the (non-linear) span.

    >>> round(span_energy(torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0, 0.0]])), 12)
    0.36
    """
    a, b = _same_entries(outputs, examples)
    if not bool(torch.isfinite(a).all() & torch.isfinite(b).all()):
        return math.nan
    _, values, basis = torch.linalg.svd(b, full_matrices=False)
    basis = basis[values > values[0] * max(b.shape) * torch.finfo(b.dtype).eps]
    energy = float(a.square().sum())
    return float((a @ basis.T).square().sum()) / energy if energy > 0 else math.nan


def _same_entries(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return both as float64 matrices of one row per point."""
    if a.ndim < 2 or b.ndim < 2 or a[:1].numel() != b[:1].numel() or not a.numel():
        raise DataError(
            "points and examples differ in their number of entries",
            got=f"{list(a.shape)} and {list(b.shape)}",
        )
    return a.detach().double().flatten(1), b.detach().double().flatten(1)
