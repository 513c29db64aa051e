"""Single linear fits in float64: minimum-norm least squares by SVD, ridge by Cholesky.

The plain reference for the path solver of `overparam.training`, which shares factorizations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from overparam.checks import check_range
from overparam.errors import DataError


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A fitted linear model f(x) = x B + c.

    Attributes:
        coefficients: B, float64 `[p, k]`.
        intercept: c, float64 `[k]`; zeros where none was fitted.
        singular_values: of the (centred) features, float64 `[min(n, p)]`, falling.
        rank: numerical rank of the (centred) features.
    """

    coefficients: Tensor
    intercept: Tensor
    singular_values: Tensor
    rank: int

    @cached_property
    def norm(self) -> float:
        """Frobenius norm of the coefficients, without the intercept."""
        return float(torch.linalg.matrix_norm(self.coefficients))

    def predict(self, features: Tensor) -> Tensor:
        """Return predictions `[n, k]` for features `[n, p]`.

        Raises:
            DataError: features with another number of columns.
        """
        rows = torch.as_tensor(features, dtype=torch.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.coefficients):
            raise DataError(
                "features do not fit the model",
                got=list(rows.shape),
                allowed=f"[n, {len(self.coefficients)}]",
            )
        return rows @ self.coefficients + self.intercept


@dataclass(frozen=True)
class MinimumNormRegression:
    """Least squares; of all solutions the one of smallest norm, B = X^+ Y.

    With rank(X) = n it interpolates; it is the limit of ridge as the penalty falls to 0, and of
    gradient descent on the squared loss from B = 0.

    Attributes:
        fit_intercept: centre features and targets first, so that the intercept is free.
        relative_tolerance: singular values below this times the largest count as 0. None for
            max(n, p) x 2.2e-16, the convention of `numpy.linalg.matrix_rank`.

    Cost: one singular value decomposition, O(n p min(n, p)).

    >>> fit = MinimumNormRegression().fit([[3.0, 4.0]], [[5.0]])  # one equation, two unknowns
    >>> fit.coefficients.flatten().round(decimals=12).tolist(), fit.rank, round(fit.norm, 12)
    ([0.6, 0.8], 1, 1.0)
    """

    fit_intercept: bool = False
    relative_tolerance: float | None = None

    def fit(self, features: Tensor, targets: Tensor) -> LinearFit:
        """Fit features `[n, p]` to targets `[n]` or `[n, k]`.

        Raises:
            DataError: empty, mismatched, NaN or infinite.
            UsageError: a tolerance outside [0, 1).
        """
        x, y, x_mean, y_mean = _prepare(features, targets, self.fit_intercept)
        tolerance = _tolerance(x, self.relative_tolerance)
        left, s, right = torch.linalg.svd(x, full_matrices=False)
        rank = int((s > tolerance * s[0]).sum())
        kept = slice(0, rank)
        coefficients = right[kept].T @ ((left[:, kept].T @ y) / s[kept, None])
        return LinearFit(coefficients, y_mean - x_mean @ coefficients, s, rank)


@dataclass(frozen=True)
class RidgeRegression:
    """Ridge regression, B = argmin |Y - X B|^2 + penalty |B|^2 = (X'X + penalty I)^-1 X'Y.

    The sum of squares is not divided by n: `penalty` is scikit-learn's ``alpha``, and n lambda in
    papers that divide. Where p > n the equal dual form X' (X X' + penalty I)^-1 Y is solved.

    Attributes:
        penalty: > 0. For 0 use `MinimumNormRegression`, its limit.
        fit_intercept: centre features and targets first, so that the intercept is not penalized.

    Cost: O(n p min(n, p)), one Cholesky factorization and the singular values.

    >>> fit = RidgeRegression(penalty=25.0).fit([[3.0, 4.0]], [[5.0]])
    >>> fit.coefficients.flatten().round(decimals=12).tolist()
    [0.3, 0.4]
    """

    penalty: float
    fit_intercept: bool = False

    def fit(self, features: Tensor, targets: Tensor) -> LinearFit:
        """Fit features `[n, p]` to targets `[n]` or `[n, k]`.

        Raises:
            DataError: empty, mismatched, NaN or infinite.
            UsageError: a penalty that is not > 0.
        """
        penalty = check_range("penalty", self.penalty, 0, open_low=True)
        x, y, x_mean, y_mean = _prepare(features, targets, self.fit_intercept)
        n, p = x.shape
        gram = x @ x.T if p > n else x.T @ x
        factor = torch.linalg.cholesky(gram + penalty * torch.eye(min(n, p), dtype=x.dtype))
        if p > n:
            coefficients = x.T @ torch.cholesky_solve(y, factor)
        else:
            coefficients = torch.cholesky_solve(x.T @ y, factor)
        s = torch.linalg.svdvals(x)
        rank = int((s > _tolerance(x, None) * s[0]).sum())
        return LinearFit(coefficients, y_mean - x_mean @ coefficients, s, rank)


def _prepare(
    features: Tensor, targets: Tensor, fit_intercept: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x = torch.as_tensor(features, dtype=torch.float64)
    y = torch.as_tensor(targets, dtype=torch.float64)
    y = y[:, None] if y.ndim == 1 else y
    if x.ndim != 2 or y.ndim != 2 or x.numel() == 0 or y.numel() == 0 or len(x) != len(y):
        raise DataError(
            "features and targets do not fit together",
            got=f"{list(x.shape)} and {list(y.shape)}",
            allowed="[n, p] and [n, k], n, p, k >= 1",
        )
    if not bool(torch.isfinite(x).all() and torch.isfinite(y).all()):
        raise DataError("features or targets hold NaN or infinity", remedy="drop or impute them")
    if not fit_intercept:
        return x, y, x.new_zeros(x.shape[1]), y.new_zeros(y.shape[1])
    x_mean, y_mean = x.mean(0), y.mean(0)
    return x - x_mean, y - y_mean, x_mean, y_mean


def _tolerance(x: Tensor, relative: float | None) -> float:
    if relative is None:
        return max(x.shape) * torch.finfo(x.dtype).eps
    return check_range("relative_tolerance", relative, 0, 1, open_high=True)
