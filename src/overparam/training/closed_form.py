"""Ridge and minimum-norm regression in closed form, for a whole path of widths and penalties.

Convention, for the first p columns Phi_p of nested features and targets Y `[n, k]`:

    W(p, a) = argmin ||Phi_p W - Y||^2 + a ||W||^2,    no intercept, a = penalty >= 0,

so `penalty` equals the `alpha` of scikit-learn's `Ridge(fit_intercept=False)`, and lambda = a / n
in the convention of Hastie et al. 2022. Penalty 0 means the limit from above: the least-squares
solution of smallest norm.

One factorization per width serves all penalties and all targets (see `ridge_factors`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overparam.checks import check_count, check_range
from overparam.errors import DataError, UsageError
from overparam.training.ridge_factors import (
    EPSILON,
    EigenGram,
    NestedFactors,
    TridiagonalGram,
    factor_gram,
    has_full_rank,
)

# (largest eigenvalue + a) / (smallest + a) up to which a Gram matrix answers: its rounding
# error of 1e-16 times this stays below the 1e-8 that is promised.
GRAM_CONDITION_LIMIT = 1e7


@dataclass(frozen=True, eq=False)
class WidthSolution:
    """All penalties and targets of one width.

    Attributes:
        n_features: p. penalties: `[L]`, in rising order.
        train_predictions: `[L, n, k]`. test_predictions: `[L, m, k]`.
        coefficient_norms: Euclidean norm of each target's coefficients, `[L, k]`.
        degrees_of_freedom: trace of the hat matrix, sum s/(s + a) over squared singular values s;
            the rank at penalty 0. `[L]`.
        rank: numerical rank of Phi_p; from the Gram matrix's eigenvalues where no cell needed
            more, which tells singular values apart down to 1e-7 of the largest.
        leave_one_out_residuals: y_i minus the prediction of the fit without row i, `[L, n, k]`,
            exact, or None where not asked for.
    """

    n_features: int
    penalties: tuple[float, ...]
    train_predictions: Tensor
    test_predictions: Tensor
    coefficient_norms: Tensor
    degrees_of_freedom: Tensor
    rank: int
    leave_one_out_residuals: Tensor | None


@dataclass(frozen=True, eq=False)
class RidgePath:
    """The whole path, W widths x L penalties x k targets; the fields of `WidthSolution` stacked.

    Attributes:
        widths: `[W]`. penalties: `[L]`. ranks: `[W]`.
        train_predictions, train_residuals (Y minus predictions): `[W, L, n, k]`.
        test_predictions: `[W, L, m, k]`. coefficient_norms: `[W, L, k]`.
        degrees_of_freedom: `[W, L]`. leave_one_out_residuals: `[W, L, n, k]` or None.
    """

    widths: tuple[int, ...]
    penalties: tuple[float, ...]
    ranks: tuple[int, ...]
    train_predictions: Tensor
    train_residuals: Tensor
    test_predictions: Tensor
    coefficient_norms: Tensor
    degrees_of_freedom: Tensor
    leave_one_out_residuals: Tensor | None


def solve_ridge_path(
    features: Tensor,
    targets: Tensor,
    test_features: Tensor,
    widths: Sequence[int],
    penalties: Sequence[float],
    *,
    leave_one_out: bool = False,
) -> RidgePath:
    """Solve every width x penalty x target, in float64, from one factorization per width.

    Args:
        features: Phi `[n, P]`; width p uses its first p columns.
        targets: Y `[n, k]`, one column per label vector.
        test_features: `[m, P]`, m >= 0. widths: each in 1..P. penalties: each >= 0.
        leave_one_out: also return exact leave-one-out residuals (costs eigenvectors).

    Returns:
        widths and penalties in the order given.

    Raises:
        DataError: shapes that do not fit together, NaN or infinity.
        UsageError: no width or penalty, or one out of range.

    >>> path = solve_ridge_path(torch.eye(2), torch.tensor([[3.0], [4.0]]), torch.eye(2), [2], [1])
    >>> path.test_predictions.flatten()
    tensor([1.5000, 2.0000], dtype=torch.float64)
    """
    targets = torch.as_tensor(targets, dtype=torch.float64)
    wanted = dict.fromkeys(widths, penalties)
    solved = {
        s.n_features: s
        for s in iterate_widths(
            features, targets, test_features, wanted, leave_one_out=leave_one_out
        )
    }
    ordered = tuple(sorted({float(a) for a in penalties}))
    order = [ordered.index(float(a)) for a in penalties]

    def stack(name: str) -> Tensor:
        return torch.stack([getattr(solved[p], name)[order] for p in widths])

    fitted = stack("train_predictions")
    return RidgePath(
        widths=tuple(widths),
        penalties=tuple(float(a) for a in penalties),
        ranks=tuple(solved[p].rank for p in widths),
        train_predictions=fitted,
        train_residuals=targets - fitted,
        test_predictions=stack("test_predictions"),
        coefficient_norms=stack("coefficient_norms"),
        degrees_of_freedom=stack("degrees_of_freedom"),
        leave_one_out_residuals=stack("leave_one_out_residuals") if leave_one_out else None,
    )


def iterate_widths(
    features: Tensor,
    targets: Tensor,
    test_features: Tensor,
    wanted: Mapping[int, Sequence[float]],
    *,
    leave_one_out: bool = False,
) -> Iterator[WidthSolution]:
    """Yield the solutions of each width in rising order, so that only one width is held.

    Args:
        wanted: width to the penalties asked for at that width; see `solve_ridge_path`.
    """
    features, targets, test_features = (
        torch.as_tensor(t, dtype=torch.float64) for t in (features, targets, test_features)
    )
    _check(features, targets, test_features, wanted)
    factors = NestedFactors(features, sorted(wanted))
    for p in sorted(wanted):
        phi = features[:, :p]
        solved = _solve_width(factors, phi, targets, wanted[p], leave_one_out)
        weights = torch.stack([cell.weights for cell in solved.values()])
        left_out = [cell.left_out for cell in solved.values() if cell.left_out is not None]
        fitted = [cell.fitted for cell in solved.values() if cell.fitted is not None]
        flat = _flatten(weights)
        yield WidthSolution(
            n_features=p,
            penalties=tuple(solved),
            train_predictions=torch.stack(fitted)
            if len(fitted) == len(solved)
            else _unflatten(phi @ flat, weights),
            test_predictions=_unflatten(test_features[:, :p] @ flat, weights),
            coefficient_norms=torch.linalg.vector_norm(weights, dim=1),
            degrees_of_freedom=torch.stack([cell.degrees_of_freedom for cell in solved.values()]),
            rank=max(cell.rank for cell in solved.values()),
            leave_one_out_residuals=torch.stack(left_out) if left_out else None,
        )


def _flatten(stack: Tensor) -> Tensor:
    """Return `[L, rows, k]` as `[rows, L * k]`."""
    return stack.transpose(0, 1).reshape(stack.shape[1], -1)


def _unflatten(flat: Tensor, like: Tensor) -> Tensor:
    """Return `[rows, L * k]` as `[L, rows, k]`, with the L of `like`."""
    return flat.reshape(len(flat), len(like), like.shape[-1]).transpose(0, 1)


@dataclass(frozen=True, eq=False)
class _Cell:
    weights: Tensor  # [p, k]
    degrees_of_freedom: Tensor
    rank: int
    left_out: Tensor | None
    fitted: Tensor | None = None  # [n, k], where it costs less than phi @ weights


def _solve_width(
    factors: NestedFactors,
    phi: Tensor,
    targets: Tensor,
    penalties: Sequence[float],
    leave_one_out: bool,
) -> dict[float, _Cell]:
    """Send each penalty to the cheapest factor that is accurate for it."""
    n, p = phi.shape
    ordered = sorted({float(a) for a in penalties})
    cells: dict[float, _Cell] = {}
    if ordered[-1] > 0:
        gram = factor_gram(factors.gram(p), vectors=leave_one_out)
        safe = [
            a
            for a in ordered
            if a > 0
            and gram.largest + a <= GRAM_CONDITION_LIMIT * (gram.smallest + a)
            # At p = n leverages tend to 1 with the penalty; only the SVD keeps 1 - leverage.
            and not (leave_one_out and p == n)
        ]
        if safe:
            cells |= _solve_by_gram(gram, phi, targets, safe, leave_one_out)
    rest = [a for a in ordered if a not in cells]
    if not rest:
        return cells
    triangle = factors.triangle(p)
    if rest == [0.0] and not leave_one_out and has_full_rank(triangle, n, p):
        rank = min(n, p)
        cells[0.0] = _Cell(
            factors.minimum_norm(triangle, phi, targets),
            targets.new_tensor(float(rank)),
            rank,
            None,
        )
    else:
        svd = factors.svd(p, triangle)
        for a in rest:
            left_out = svd.leave_one_out(targets, a) if leave_one_out else None
            cells[a] = _Cell(
                svd.weights(phi, targets, a), svd.degrees_of_freedom(a), svd.rank, left_out
            )
    return dict(sorted(cells.items()))


def _solve_by_gram(
    gram: EigenGram | TridiagonalGram,
    phi: Tensor,
    targets: Tensor,
    penalties: list[float],
    leave_one_out: bool,
) -> dict[float, _Cell]:
    n, p = phi.shape
    wide = p > n
    solved = gram.solve(targets if wide else phi.T @ targets, penalties)
    # One product for all penalties: as a batch of narrow ones it takes ten times as long.
    weights = _unflatten(phi.T @ _flatten(solved), solved) if wide else solved
    left_out: Sequence[Tensor | None] = [None] * len(penalties)
    if isinstance(gram, EigenGram) and leave_one_out:
        if wide:  # the residual is a (K + a)^-1 y, one minus leverage its diagonal times a
            left_out = list(solved / gram.quadratic_form(None, penalties)[..., None])
        else:
            leverage = gram.quadratic_form(phi, penalties)
            left_out = list(
                (targets - _unflatten(phi @ _flatten(weights), weights)) / (1 - leverage)[..., None]
            )
    limit = max(n, p) * EPSILON * gram.largest
    rank = min(n, p) if gram.smallest > limit else int((gram.eigenvalues > limit).sum())
    return {
        a: _Cell(
            weights=weights[i],
            degrees_of_freedom=targets.new_tensor(gram.degrees_of_freedom(a)),
            rank=rank,
            left_out=left_out[i],
            fitted=targets - a * solved[i] if wide else None,
        )
        for i, a in enumerate(penalties)
    }


def _check(features: Tensor, targets: Tensor, test: Tensor, wanted: Mapping) -> None:
    shapes = f"features {list(features.shape)}, targets {list(targets.shape)}"
    if features.ndim != 2 or targets.ndim != 2 or len(features) != len(targets) or not len(targets):
        raise DataError(
            "features and targets do not fit together",
            got=shapes,
            allowed="features [n, P] and targets [n, k] with n >= 1",
        )
    if test.ndim != 2 or test.shape[1] != features.shape[1]:
        raise DataError(
            "test features do not fit the training features",
            got=list(test.shape),
            allowed=f"[m, {features.shape[1]}]",
        )
    for name, values in (("features", features), ("targets", targets), ("test features", test)):
        # The sum first: one pass without a mask. It may overflow though all entries are finite.
        if not bool(values.sum().isfinite()) and not bool(values.isfinite().all()):
            raise DataError(f"{name} hold NaN or infinity", remedy="drop or impute these rows")
    if not wanted or not all(len(penalties) for penalties in wanted.values()):
        raise UsageError("a path needs at least one width and one penalty", got=dict(wanted))
    for width, penalties in wanted.items():
        check_count("width", width, 1, features.shape[1])
        for penalty in penalties:
            check_range("penalty", penalty, 0)
