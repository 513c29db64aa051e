"""Factorizations behind the closed-form path: what is shared by all penalties of one width.

For features Phi `[n, p]`, q = min(n, p) and the Gram matrix S = Phi^T Phi (p <= n) or
K = Phi Phi^T (p > n), both `[q, q]`:

- `TridiagonalGram`, `EigenGram`: solve (S + penalty I) Z = B for many penalties at once. A Gram
  matrix squares the condition number, so they serve only penalties that keep it small.
- `NestedFactors.triangle`: R with R^T R = S or K from Householder QR of Phi itself, never of its
  square; it serves penalty 0 where Phi has full rank.
- `CoreSvd`: singular values of R, for the cells that the two above cannot serve: nearly or exactly
  rank-deficient at penalty 0, or a penalty below the Gram matrix's rounding error.

Why these and not others: docs/decisions/0002-closed-form-path.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.linalg import blas, lapack
from torch import Tensor

EPSILON = float(np.finfo(np.float64).eps)
FULL_LEVERAGE = 1e-10  # 1 - leverage below this is rounding: without the row, the rank falls
BLOCK = 64  # columns that LAPACK's blocked routines work on at once, at most
SMALLEST_REDUCTION = 8  # below this size LAPACK's blocked reduction has nothing to gain


class EigenGram:
    """S = V diag(s) V^T from the lower triangle of S: every penalty by a scaling, and diagonals.

    Attributes:
        eigenvalues: s, float64 `[q]`, rising, rounding below zero cut off.
        smallest, largest: of the eigenvalues.
    """

    def __init__(self, gram: Tensor) -> None:
        eigenvalues, self._vectors = torch.linalg.eigh(gram, UPLO="L")
        self.eigenvalues = eigenvalues.clamp(min=0)
        self.smallest, self.largest = float(self.eigenvalues[0]), float(self.eigenvalues[-1])

    def degrees_of_freedom(self, penalty: float) -> float:
        """Return the trace of S (S + penalty I)^-1."""
        return float((self.eigenvalues / (self.eigenvalues + penalty)).sum())

    def solve(self, rhs: Tensor, penalties: Sequence[float]) -> Tensor:
        """Return (S + penalty I)^-1 B for B `[q, k]`, as `[penalties, q, k]`."""
        rotated = self._vectors.T @ rhs
        return torch.stack(
            [self._vectors @ (rotated / (self.eigenvalues + a)[:, None]) for a in penalties]
        )

    def quadratic_form(self, rows: Tensor | None, penalties: Sequence[float]) -> Tensor:
        """Return x_i^T (S + penalty I)^-1 x_i, `[penalties, i]`; x_i unit vectors where None."""
        squares = (self._vectors if rows is None else rows @ self._vectors).square()
        return torch.stack([squares @ (1 / (self.eigenvalues + a)) for a in penalties])


class TridiagonalGram:
    """S = Q T Q^T with T tridiagonal (LAPACK sytrd): a third of the price of eigenvectors.

    Reads the lower triangle of S. Each penalty then costs one tridiagonal solve, O(q) per
    right-hand side. On the CPU only.

    Attributes:
        smallest, largest: eigenvalues of S.
    """

    def __init__(self, gram: Tensor) -> None:
        size = len(gram)
        reflectors, self._diagonal, self._beside, self._tau, _ = lapack.dsytrd(
            np.asfortranarray(gram.numpy()), lower=1, lwork=BLOCK * size
        )
        # sytrd stores the reflectors of Q one row below the diagonal, in the form of QR's.
        self._reflectors = np.asfortranarray(reflectors[1:, :-1])
        ends = [
            float(lapack.dstebz(self._diagonal, self._beside, 2, 0, 0, i, i, 0.0, b"E")[1][0])
            for i in (1, size)
        ]
        self.smallest, self.largest = (max(0.0, end) for end in ends)

    @cached_property
    def eigenvalues(self) -> Tensor:
        """Eigenvalues of S, float64 `[q]`, rising, rounding below zero cut off."""
        return torch.from_numpy(lapack.dsterf(self._diagonal, self._beside)[0]).clamp(min=0)

    def degrees_of_freedom(self, penalty: float) -> float:
        """Return the trace of S (S + penalty I)^-1 in O(q), without eigenvalues.

        Entry i of the diagonal of (T + penalty I)^-1 is 1 / (u_i + l_i - t_i), with u and l the
        pivots of eliminating from above and from below (Dhillon, Parlett 2004, on twisted
        factorizations).
        """
        shifted = self._diagonal + penalty
        above, _, _ = lapack.dpttrf(shifted, self._beside)
        below, _, _ = lapack.dpttrf(shifted[::-1], self._beside[::-1])
        return len(shifted) - penalty * float((1 / (above + below[::-1] - shifted)).sum())

    def solve(self, rhs: Tensor, penalties: Sequence[float]) -> Tensor:
        """Return (S + penalty I)^-1 B for B `[q, k]`, as `[penalties, q, k]`."""
        size, columns = rhs.shape
        rotated = self._rotate(rhs.numpy(), "T")
        solved = np.empty((size, len(penalties) * columns), order="F")
        for i, penalty in enumerate(penalties):
            pivots, multipliers, _ = lapack.dpttrf(self._diagonal + penalty, self._beside)
            solved[:, i * columns : (i + 1) * columns], _ = lapack.dpttrs(
                pivots, multipliers, rotated
            )
        back = torch.from_numpy(np.ascontiguousarray(self._rotate(solved, "N")))
        return back.reshape(size, len(penalties), columns).transpose(0, 1)

    def _rotate(self, block: np.ndarray, transpose: str) -> np.ndarray:
        turned = np.array(block, order="F")
        turned[1:], _, _ = lapack.dormqr(
            "L",
            transpose,
            self._reflectors,
            self._tau,
            turned[1:],
            lwork=BLOCK * turned.shape[1] + BLOCK * (BLOCK + 1),  # less, and it is unblocked
        )
        return turned


def factor_gram(gram: Tensor, *, vectors: bool) -> EigenGram | TridiagonalGram:
    """Return the cheapest factor of `gram` that can do what is asked (`vectors`: diagonals)."""
    if vectors or gram.device.type != "cpu" or len(gram) < SMALLEST_REDUCTION:
        return EigenGram(gram)
    return TridiagonalGram(gram)


@dataclass(frozen=True, eq=False)
class CoreSvd:
    """The singular value decomposition of Phi without its right vectors, cut at its rank r.

    Attributes:
        left: left singular vectors of Phi, `[n, r]`.
        values: singular values, `[r]`, falling, above max(n, p) * eps * largest.
        core_right: right singular vectors of the triangle the values were taken from, `[q, r]`.
    """

    left: Tensor
    values: Tensor
    core_right: Tensor

    @property
    def rank(self) -> int:
        """Numerical rank r."""
        return len(self.values)

    def weights(self, phi: Tensor, targets: Tensor, penalty: float) -> Tensor:
        """Return the coefficients `[p, k]` for targets `[n, k]`."""
        rotated = self.left.T @ targets
        inverse = 1 / (self.values.square() + penalty)
        if phi.shape[1] > len(phi):
            return phi.T @ (self.left @ (rotated * inverse[:, None]))
        return self.core_right @ (rotated * (self.values * inverse)[:, None])

    def degrees_of_freedom(self, penalty: float) -> Tensor:
        """Return the trace of the hat matrix, sum s^2 / (s^2 + penalty)."""
        squares = self.values.square()
        return (squares / (squares + penalty)).sum()

    def leave_one_out(self, targets: Tensor, penalty: float) -> Tensor:
        """Return residual / (1 - leverage) `[n, k]`, or its limit where both vanish at penalty 0.

        Neither is a difference of near numbers where Phi has rank n, so small penalties are safe.
        """
        squares, rows = self.values.square(), self.left.square()
        rotated = self.left.T @ targets
        shrunk = penalty / (squares + penalty)
        residual, slack = self.left @ (rotated * shrunk[:, None]), rows @ shrunk
        if self.rank < len(targets):  # what lies outside the range of Phi is never fitted
            residual = residual + targets - self.left @ rotated
            slack = slack + (1 - rows.sum(1)).clamp(min=0)
        if penalty > 0:
            return residual / slack[:, None]
        limit = self.left @ (rotated / squares[:, None]) / (rows @ (1 / squares))[:, None]
        return torch.where(slack[:, None] > FULL_LEVERAGE, residual / slack[:, None], limit)


class NestedFactors:
    """Gram matrices and triangles of the first p columns, each grown from the one before.

    Args:
        features: Phi, float64 `[n, P]`. widths: every p that will be asked for, rising.
    """

    def __init__(self, features: Tensor, widths: Sequence[int]) -> None:
        self._features, self._n = features, len(features)
        # All widths up to n are leading blocks of one matrix; above n each adds to the last.
        self._primal_width = max((p for p in widths if p <= self._n), default=0)
        self._primal_gram: Tensor | None = None
        self._primal_qr: tuple[Tensor, Tensor] | None = None
        self._dual_gram: Tensor | None = None
        self._dual_gram_width = 0
        self._dual_triangle: Tensor | None = None
        self._dual_triangle_width = 0

    def gram(self, p: int) -> Tensor:
        """Return Phi^T Phi `[p, p]` for p <= n, else Phi Phi^T `[n, n]`: the lower triangle.

        Above the diagonal it may hold anything, and it is valid until the next call.
        """
        if p <= self._n:
            if self._primal_gram is None:
                block = self._features[:, : self._primal_width].T
                self._primal_gram = _add_product(None, block)
            return self._primal_gram[:p, :p]
        added = self._features[:, self._dual_gram_width : p]
        self._dual_gram, self._dual_gram_width = _add_product(self._dual_gram, added), p
        return self._dual_gram

    def triangle(self, p: int) -> Tensor:
        """Return upper R `[q, q]` with Phi = Q R for p <= n, else with Phi^T = Q R."""
        if p <= self._n:
            return self._orthogonal_triangular[1][:p, :p]
        added = self._features[:, self._dual_triangle_width : p].T
        if self._dual_triangle is not None:
            added = torch.cat([self._dual_triangle, added])
        self._dual_triangle = torch.linalg.qr(added, mode="r")[1]
        self._dual_triangle_width = p
        return self._dual_triangle

    def orthogonal(self, p: int) -> Tensor:
        """Return Q `[n, p]` of Phi = Q R, for p <= n."""
        return self._orthogonal_triangular[0][:, :p]

    def minimum_norm(self, triangle: Tensor, phi: Tensor, targets: Tensor) -> Tensor:
        """Return the least-squares coefficients `[p, k]` of smallest norm, for R of full rank."""
        n, p = phi.shape
        if p <= n:
            rotated = self.orthogonal(p).T @ targets
            return torch.linalg.solve_triangular(triangle, rotated, upper=True)
        # Seminormal equations. For minimum-norm problems (not for overdetermined ones) their error
        # grows with the condition number, not its square: Paige 1973; Higham 2002, chapter 21.
        # The second round takes the residual down to rounding too.
        weights = targets.new_zeros(p, targets.shape[1])
        for _ in range(2):
            half = torch.linalg.solve_triangular(triangle.T, targets - phi @ weights, upper=False)
            weights += phi.T @ torch.linalg.solve_triangular(triangle, half, upper=True)
        return weights

    def svd(self, p: int, triangle: Tensor) -> CoreSvd:
        """Return the singular value decomposition of Phi from its triangle."""
        wide = p > self._n
        left, values, right = torch.linalg.svd(triangle.T if wide else triangle)
        rank = int((values > max(self._n, p) * EPSILON * values[0]).sum())
        whole = left[:, :rank] if wide else self.orthogonal(p) @ left[:, :rank]
        return CoreSvd(whole, values[:rank], right[:rank].T)

    @property
    def _orthogonal_triangular(self) -> tuple[Tensor, Tensor]:
        if self._primal_qr is None:
            self._primal_qr = torch.linalg.qr(self._features[:, : self._primal_width])
        return self._primal_qr


def _add_product(total: Tensor | None, block: Tensor) -> Tensor:
    """Return total + B B^T, at least its lower triangle; `total` may be overwritten."""
    if block.device.type != "cpu":
        product = block @ block.T
        return product if total is None else total.add_(product)
    # syrk makes half of the products; it wants columns, and rows of B^T are columns of B.
    columns = np.asfortranarray(block.numpy())
    if total is None:
        return torch.from_numpy(blas.dsyrk(1.0, columns, lower=1))
    summed = blas.dsyrk(1.0, columns, beta=1.0, c=total.numpy(), lower=1, overwrite_c=1)
    return torch.from_numpy(summed)


def has_full_rank(triangle: Tensor, n_rows: int, n_columns: int) -> bool:
    """Return whether R is safely of full rank: smallest singular value against rounding.

    Inverse iteration on R^T R from a fixed start, six rounds; the estimate lies above the true
    value, mostly by less than a factor of 3, so the limit has a margin of 100 over `CoreSvd`'s.
    """
    scale = float(torch.linalg.matrix_norm(triangle))
    limit = 100 * max(n_rows, n_columns) * EPSILON * scale
    if float(triangle.diagonal().abs().min()) <= limit:
        return False
    signs = torch.ones(len(triangle), 1, dtype=triangle.dtype, device=triangle.device)
    signs[1::2] = -1
    vector, growth = signs / len(triangle) ** 0.5, 1.0
    for _ in range(6):
        half = torch.linalg.solve_triangular(triangle.T, vector, upper=False)
        whole = torch.linalg.solve_triangular(triangle, half, upper=True)
        growth = float(torch.linalg.vector_norm(whole))
        vector = whole / growth
    return growth > 0 and growth**-0.5 > limit
